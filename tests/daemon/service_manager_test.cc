#include "daemon/service_manager.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string>

#include "storage/base/str_cat.h"

namespace varve {
namespace {

TEST(ServiceManager, SendsTheStateToTheSocket) {
  const std::string path = StrCat(testing::TempDir(), "varve_notify_", getpid());
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  ASSERT_LT(path.size(), sizeof(address.sun_path));
  path.copy(address.sun_path, path.size());
  ASSERT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
  NotifyServiceManager("READY=1");
  ::unsetenv("NOTIFY_SOCKET");
  std::array<char, 64> buffer{};
  const ssize_t received = ::recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
  ::close(fd);
  ::unlink(path.c_str());
  ASSERT_GT(received, 0);
  EXPECT_EQ(std::string(buffer.data(), static_cast<size_t>(received)), "READY=1");
}

TEST(ServiceManager, NobodyListeningIsNoError) {
  ::unsetenv("NOTIFY_SOCKET");
  NotifyServiceManager("READY=1");
  ::setenv("NOTIFY_SOCKET", "/nonexistent/socket", 1);
  NotifyServiceManager("READY=1");
  ::setenv("NOTIFY_SOCKET", std::string(500, 'x').c_str(), 1);
  NotifyServiceManager("STOPPING=1");
  ::unsetenv("NOTIFY_SOCKET");
  SUCCEED() << "returned";
}

}  // namespace
}  // namespace varve
