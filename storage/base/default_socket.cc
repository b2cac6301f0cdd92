#include "storage/base/default_socket.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace varve {
namespace {

std::string SocketIn(const std::string& directory) { return directory + "/varve.sock"; }

bool MayMakeFilesIn(const std::string& directory) {
  return faccessat(AT_FDCWD, directory.c_str(), W_OK | X_OK, AT_EACCESS) == 0;
}

// The daemon makes the directory itself, but not its parent.
bool MayServeIn(const std::string& directory) {
  if (MayMakeFilesIn(directory)) return true;
  const size_t slash = directory.rfind('/');
  return errno == ENOENT && slash != std::string::npos && slash > 0 &&
         MayMakeFilesIn(directory.substr(0, slash));
}

// Somebody else's, which an environment may carry over, is no place to meet.
bool IsOwnDirectory(const std::string& directory) {
  struct stat info {};
  return !directory.empty() && directory[0] == '/' && stat(directory.c_str(), &info) == 0 &&
         S_ISDIR(info.st_mode) && info.st_uid == geteuid();
}

bool IsSocket(const std::string& path) {
  struct stat info {};
  return lstat(path.c_str(), &info) == 0 && S_ISSOCK(info.st_mode);
}

}  // namespace

std::string SocketToServe(const SocketPlaces& places, const std::string& data_dir) {
  if (MayServeIn(places.system_directory)) return SocketIn(places.system_directory);
  if (IsOwnDirectory(places.user_directory)) return SocketIn(places.user_directory);
  return SocketIn(data_dir);
}

std::string SocketToReach(const SocketPlaces& places) {
  if (IsOwnDirectory(places.user_directory) && IsSocket(SocketIn(places.user_directory))) {
    return SocketIn(places.user_directory);
  }
  return SocketIn(places.system_directory);
}

}  // namespace varve
