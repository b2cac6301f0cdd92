// What a person is told who cannot reach the daemon.
#include "client/cli/unreachable.h"

#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "gmock/gmock.h"
#include "storage/base/str_cat.h"
#include "tests/client/varve_command.h"

namespace varve {
namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr gid_t kDaemonGroup = 1;  // "daemon" on Debian
constexpr uid_t kNobody = 65534;

class UnreachableTest : public CommandTest {
 protected:
  static std::string At(const std::string& socket_path) {
    return WhyUnreachable("unix://" + socket_path);
  }

  // `work` in a process of a user that is not root and in no group of root's.
  std::string AsNobody(const std::function<std::string()>& work) const {
    const pid_t child = fork();
    if (child == 0) {
      const bool dropped =
          setgroups(0, nullptr) == 0 && setgid(kNobody) == 0 && setuid(kNobody) == 0;
      const std::string said = dropped ? work() : "still root";
      const ssize_t written = write(said_, said.data(), said.size());
      _exit(written == static_cast<ssize_t>(said.size()) ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
    return ReadFile(Path("said"));
  }

  void SetUp() override {
    CommandTest::SetUp();
    said_ = open(Path("said").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ASSERT_GE(said_, 0);
  }
  void TearDown() override {
    close(said_);
    CommandTest::TearDown();
  }

  int said_ = -1;
};

TEST_F(UnreachableTest, ASocketThatIsNotThereIsNamed) {
  EXPECT_THAT(At(Path("none/s")), AllOf(StartsWith("there is no socket " + Path("none/s")),
                                        HasSubstr("start varved"), HasSubstr("VARVE_ADDRESS")));
  EXPECT_THAT(At(WriteFile("file", "")), StartsWith(Path("file") + " is no socket"));
  StopDaemon();
  EXPECT_THAT(At(Path("s")), AnyOf(HasSubstr("nobody listens"), HasSubstr("there is no socket")));
}

TEST_F(UnreachableTest, ASocketThatADeadDaemonLeftIsToldApart) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = Path("left");
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  ASSERT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  close(fd);
  EXPECT_THAT(At(path), HasSubstr("nobody listens there any more"));
}

TEST_F(UnreachableTest, WithoutPermissionTheGroupIsNamed) {
  if (geteuid() != 0) GTEST_SKIP() << "only root makes what others may not use";
  if (getgrgid(kDaemonGroup) == nullptr) GTEST_SKIP() << "the machine has no group 1";
  const std::string group = getgrgid(kDaemonGroup)->gr_name;
  ASSERT_EQ(chmod(directory_.c_str(), 0755), 0);
  ASSERT_EQ(chown(Path("s").c_str(), 0, kDaemonGroup), 0);
  const auto at_socket = [this] { return At(Path("s")); };
  EXPECT_THAT(AsNobody(at_socket),
              AllOf(StartsWith("permission denied on " + Path("s")), HasSubstr("user root"),
                    HasSubstr("the group " + group), HasSubstr("usermod -aG " + group)));
  // It is told of the first door that is shut.
  ASSERT_EQ(chown(directory_.c_str(), 0, kDaemonGroup), 0);
  ASSERT_EQ(chmod(directory_.c_str(), 0750), 0);
  ASSERT_EQ(ftruncate(said_, 0), 0);
  ASSERT_EQ(lseek(said_, 0, SEEK_SET), 0);
  EXPECT_THAT(AsNobody(at_socket), AllOf(StartsWith("permission denied on " + directory_ + ":"),
                                         HasSubstr("usermod -aG " + group)));
  // A group that means root is nothing to join.
  ASSERT_EQ(chown(directory_.c_str(), 0, 0), 0);
  ASSERT_EQ(ftruncate(said_, 0), 0);
  ASSERT_EQ(lseek(said_, 0, SEEK_SET), 0);
  EXPECT_THAT(AsNobody(at_socket),
              AllOf(HasSubstr("for the user root alone; use sudo"), Not(HasSubstr("usermod"))));
}

TEST_F(UnreachableTest, ThePortOfSomethingElseIsToldApart) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  ASSERT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&address), size), 0);
  ASSERT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
  const std::string name = StrCat("127.0.0.1:", ntohs(address.sin_port));
  EXPECT_THAT(WhyUnreachable(name), HasSubstr("nobody listens there"));
  ASSERT_EQ(listen(fd, 1), 0);
  EXPECT_THAT(WhyUnreachable(name),
              AllOf(HasSubstr("does not speak the gRPC API"), HasSubstr("unix:///")));
  close(fd);
}

TEST_F(UnreachableTest, NothingOfTheLibraryIsShown) {
  const CommandOutcome outcome = Run({"--address", "unix://" + Path("none"), "images"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("there is no socket " + Path("none")));
  for (const char* innards : {"UNKNOWN", "subchannel", "addresses", "errno", "grpc"}) {
    EXPECT_THAT(outcome.err, Not(HasSubstr(innards)));
  }
}

}  // namespace
}  // namespace varve
