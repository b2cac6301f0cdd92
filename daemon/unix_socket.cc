#include "daemon/unix_socket.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>
#include <vector>

#include "daemon/log.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

constexpr char kUnpublishedSuffix[] = ".new";
// What the kernel takes, less the final zero and the suffix.
constexpr size_t kMaxSocketPathBytes =
    sizeof(sockaddr_un::sun_path) - 1 - (sizeof(kUnpublishedSuffix) - 1);

// 0 when somebody accepts a connection on `path` (or its queue of connections is full), else errno.
int Connect(const std::string& path) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return errno;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const int result = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  const int error = result == 0 ? 0 : errno;
  close(fd);
  return error == EAGAIN ? 0 : error;
}

// Absent when the machine has no such group, or cannot say.
std::optional<gid_t> FindGroup(const std::string& name) {
  constexpr size_t kMaxEntryBytes = 1 << 20;  // its members are in the entry too
  std::vector<char> buffer(1 << 12);
  struct group entry {};
  struct group* found = nullptr;
  while (getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) == ERANGE &&
         buffer.size() < kMaxEntryBytes) {
    buffer.resize(buffer.size() * 2);
  }
  if (found == nullptr) return std::nullopt;
  return entry.gr_gid;
}

absl::Status WarnWhenNotForGroup(absl::Status status) {
  if (!absl::IsPermissionDenied(status)) return status;
  Log(LogLevel::kWarning, "socket", {{"reason", std::string(status.message())}});
  return absl::OkStatus();
}

}  // namespace

std::string UnpublishedSocketPath(const std::string& socket_path) {
  return socket_path + kUnpublishedSuffix;
}

absl::Status CheckSocketPath(const std::string& socket_path) {
  if (socket_path.empty()) {
    return absl::InvalidArgumentError("the path of the socket is empty");
  }
  if (socket_path.size() > kMaxSocketPathBytes) {
    return absl::InvalidArgumentError(StrCat("the socket path ", socket_path, " has ",
                                             socket_path.size(), " bytes; at most ",
                                             kMaxSocketPathBytes, " are possible"));
  }
  struct stat info {};
  if (lstat(socket_path.c_str(), &info) != 0) {
    // The bind that follows tells about a missing or forbidden directory.
    return errno == ENOENT || errno == EACCES ? absl::OkStatus()
                                              : ErrnoToStatus(errno, "look at " + socket_path);
  }
  if (!S_ISSOCK(info.st_mode)) {
    return absl::InvalidArgumentError(
        StrCat(socket_path, " exists and is no socket; remove it or choose another path"));
  }
  switch (const int error = Connect(socket_path)) {
    case 0:
      return absl::UnavailableError(StrCat("another daemon answers on ", socket_path,
                                           "; stop it first or choose another path"));
    case ECONNREFUSED:
    case ENOENT:
      return absl::OkStatus();
    default:
      return absl::UnavailableError(StrCat("cannot tell whether a daemon lives on ", socket_path,
                                           ": ", std::strerror(error)));
  }
}

absl::Status MakeSocketDirectory(const std::string& socket_path, const std::string& group) {
  const size_t slash = socket_path.rfind('/');
  if (slash == std::string::npos || slash == 0) return absl::OkStatus();
  const std::string directory = socket_path.substr(0, slash);
  if (mkdir(directory.c_str(), 0750) == 0) return GiveToGroup(directory, group);
  if (errno == EEXIST) return absl::OkStatus();
  return absl::UnavailableError(StrCat("cannot make the directory ", directory, " of the socket: ",
                                       std::strerror(errno), "; make it, or choose another path"));
}

absl::Status GiveToGroup(const std::string& path, const std::string& group) {
  const std::optional<gid_t> id = FindGroup(group);
  struct stat info {};
  if (!id || (lstat(path.c_str(), &info) == 0 && info.st_gid == *id)) return absl::OkStatus();
  if (lchown(path.c_str(), static_cast<uid_t>(-1), *id) == 0) return absl::OkStatus();
  return absl::PermissionDeniedError(
      StrCat("cannot give ", path, " to the group ", group, ": ", std::strerror(errno),
             "; its members cannot connect. Run varved in that group, or add its user to it"));
}

absl::StatusOr<SocketIdentity> PublishSocket(const std::string& socket_path) {
  const std::string unpublished = UnpublishedSocketPath(socket_path);
  struct stat info {};
  if (lstat(unpublished.c_str(), &info) == 0 &&
      (!S_ISSOCK(info.st_mode) || info.st_uid != geteuid())) {
    return absl::UnavailableError(StrCat("somebody else has put something in the place of ",
                                         unpublished,
                                         "; choose a --socket PATH in a directory that only "
                                         "varved may write to"));
  }
  // Nor follows a link that has taken its place since.
  if (fchmodat(AT_FDCWD, unpublished.c_str(), 0660, AT_SYMLINK_NOFOLLOW) != 0 ||
      lstat(unpublished.c_str(), &info) != 0 ||
      rename(unpublished.c_str(), socket_path.c_str()) != 0) {
    const int error = errno;
    unlink(unpublished.c_str());
    return absl::UnavailableError(
        StrCat("cannot make the socket ", socket_path, ": ", std::strerror(error)));
  }
  return SocketIdentity{.device = info.st_dev, .inode = info.st_ino};
}

absl::StatusOr<SocketIdentity> ServeOnSocket(
    const std::string& socket_path, const std::string& group,
    const std::function<absl::Status(const std::string& unpublished)>& listen) {
  RETURN_IF_ERROR(CheckSocketPath(socket_path));
  RETURN_IF_ERROR(WarnWhenNotForGroup(MakeSocketDirectory(socket_path, group)));
  // The socket gets its permissions before it gets its name.
  const std::string unpublished = UnpublishedSocketPath(socket_path);
  absl::Status status = listen(unpublished);
  if (status.ok()) status = WarnWhenNotForGroup(GiveToGroup(unpublished, group));
  if (!status.ok()) {
    unlink(unpublished.c_str());
    return status;
  }
  return PublishSocket(socket_path);
}

void RemoveSocket(const std::string& socket_path, const SocketIdentity& identity) {
  struct stat info {};
  if (lstat(socket_path.c_str(), &info) != 0) return;
  if (info.st_dev != identity.device || info.st_ino != identity.inode) return;
  unlink(socket_path.c_str());
}

}  // namespace varve
