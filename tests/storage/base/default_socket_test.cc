#include "storage/base/default_socket.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "tests/support/temporary_directory.h"

namespace varve {
namespace {

class DefaultSocketTest : public testing::Test {
 protected:
  void SetUp() override { places_.system_directory = directory_ + "/run/varve"; }

  std::string Make(const std::string& name) const {
    std::filesystem::create_directories(directory_ + "/" + name);
    return directory_ + "/" + name;
  }

  // A socket that nobody listens on, as a daemon leaves it that was killed.
  static void MakeSocket(const std::string& path) {
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    ASSERT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    close(fd);
  }

  const TemporaryDirectory scratch_;
  const std::string directory_ = scratch_.path();
  SocketPlaces places_;
};

TEST_F(DefaultSocketTest, TheSystemsDirectoryComesFirst) {
  places_.user_directory = Make("user");
  Make("run");  // varved makes the one below
  EXPECT_EQ(SocketToServe(places_, "/data"), places_.system_directory + "/varve.sock");
  Make("run/varve");
  EXPECT_EQ(SocketToServe(places_, "/data"), places_.system_directory + "/varve.sock");
}

TEST_F(DefaultSocketTest, ThenTheUsersThenTheStores) {
  EXPECT_EQ(SocketToServe(places_, "/data"), "/data/varve.sock");
  places_.user_directory = Make("user");
  EXPECT_EQ(SocketToServe(places_, "/data"), places_.user_directory + "/varve.sock");
  for (const char* no_directory : {"", "user", "/nonexistent", "/dev/null"}) {
    places_.user_directory = no_directory;
    EXPECT_EQ(SocketToServe(places_, "/data"), "/data/varve.sock") << no_directory;
  }
}

TEST_F(DefaultSocketTest, SomebodyElsesDirectoryIsNoPlaceToMeet) {
  if (geteuid() != 0) GTEST_SKIP() << "only root makes a directory somebody else's";
  places_.user_directory = Make("user");
  MakeSocket(places_.user_directory + "/varve.sock");
  ASSERT_EQ(chown(places_.user_directory.c_str(), 65534, 65534), 0);
  EXPECT_EQ(SocketToServe(places_, "/data"), "/data/varve.sock");
  EXPECT_EQ(SocketToReach(places_), places_.system_directory + "/varve.sock");
}

TEST_F(DefaultSocketTest, ClientsLookWhereTheDaemonsAre) {
  EXPECT_EQ(SocketToReach(places_), places_.system_directory + "/varve.sock");
  places_.user_directory = Make("user");
  EXPECT_EQ(SocketToReach(places_), places_.system_directory + "/varve.sock");
  Make("user/varve.sock");  // no socket
  EXPECT_EQ(SocketToReach(places_), places_.system_directory + "/varve.sock");
  std::filesystem::remove(places_.user_directory + "/varve.sock");
  MakeSocket(SocketToServe(places_, "/data"));
  EXPECT_EQ(SocketToReach(places_), places_.user_directory + "/varve.sock");
}

}  // namespace
}  // namespace varve
