// Where varved has its socket, and where varve looks for it, when nobody says otherwise. Both ask
// here, so that they meet. Looks at directories; thread-safe.
#ifndef VARVE_STORAGE_BASE_DEFAULT_SOCKET_H_
#define VARVE_STORAGE_BASE_DEFAULT_SOCKET_H_

#include <string>

namespace varve {

struct SocketPlaces {
  std::string system_directory = "/run/varve";  // for whoever may write there, or make it
  std::string user_directory;                   // $XDG_RUNTIME_DIR of the user; empty: none
};

// The path for a daemon: varve.sock in the system's directory when this process may make it there;
// else in the user's, when that is theirs; else in `data_dir`.
std::string SocketToServe(const SocketPlaces& places, const std::string& data_dir);

// The path for a client: that in the user's directory when a socket is there, else the system's.
std::string SocketToReach(const SocketPlaces& places);

}  // namespace varve

#endif  // VARVE_STORAGE_BASE_DEFAULT_SOCKET_H_
