// Taking over a unix socket path safely: a path that a living daemon answers on is left alone, one
// that a dead daemon left behind is replaced in one step, with its permissions set beforehand. Used
// while the server starts and stops, by one thread.
#ifndef VARVE_DAEMON_UNIX_SOCKET_H_
#define VARVE_DAEMON_UNIX_SOCKET_H_

#include <sys/types.h>

#include <functional>
#include <string>

#include "absl/status/statusor.h"

namespace varve {

// The path that a server binds before PublishSocket moves it to `socket_path`.
std::string UnpublishedSocketPath(const std::string& socket_path);

// OK when `socket_path` may be taken. InvalidArgument when it is empty, too long for the kernel, or
// something else than a socket lives there; Unavailable when a daemon answers on it or its
// directory cannot be used.
absl::Status CheckSocketPath(const std::string& socket_path);

// Makes the directory of `socket_path` when it is absent (its own parent must exist), mode 0750 and
// for `group` as far as GiveToGroup can. Unavailable, naming it, when it cannot be made.
absl::Status MakeSocketDirectory(const std::string& socket_path, const std::string& group);

// Lets the group named `group` own `path`; OK when no such group exists on this machine. Otherwise
// PermissionDenied with what to do.
absl::Status GiveToGroup(const std::string& path, const std::string& group);

// Identifies a published socket, so that only its own server removes it.
struct SocketIdentity {
  dev_t device = 0;
  ino_t inode = 0;
};

// The whole way from a free path to a socket that clients find: checks `socket_path`, makes its
// directory, lets `listen` bind and listen on the path that it is given, gives the socket to
// `group`, and publishes it. A socket that its group cannot use is a warning in the log: its owner
// is served. Errors of the functions above and of `listen`, after which nothing is left behind.
absl::StatusOr<SocketIdentity> ServeOnSocket(
    const std::string& socket_path, const std::string& group,
    const std::function<absl::Status(const std::string& unpublished)>& listen);

// Gives the socket at UnpublishedSocketPath mode 0660 and moves it to `socket_path`, over a stale
// one.
absl::StatusOr<SocketIdentity> PublishSocket(const std::string& socket_path);

// Removes `socket_path` if it is still the socket that was published.
void RemoveSocket(const std::string& socket_path, const SocketIdentity& identity);

}  // namespace varve

#endif  // VARVE_DAEMON_UNIX_SOCKET_H_
