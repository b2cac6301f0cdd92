// How accepted connections are set up: a peer on this machine is never kept waiting by pacing, a
// remote one gets what the system prefers.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "daemon/http/reply.h"
#include "daemon/http/socket.h"
#include "gtest/gtest.h"

namespace varve {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() { close(fd_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

int Option(int fd, int name) {
  int value = -1;
  socklen_t size = sizeof(value);
  getsockopt(fd, IPPROTO_TCP, name, &value, &size);
  return value;
}

// Connects to the loopback address that `listener` is bound to, and gives the accepted end; -1 on
// failure.
int Accepted(int listener, int client) {
  const auto port = LocalPort(listener);
  if (!port.ok()) return -1;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(*port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(client, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) return -1;
  EXPECT_TRUE(PollOne(listener, POLLIN, std::chrono::seconds(10)));
  return accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
}

TEST(SocketTest, AConnectionOfThisMachineIsNotPaced) {
  const auto listening = Listen("127.0.0.1", 0);
  ASSERT_TRUE(listening.ok()) << listening.status();
  const Descriptor listener(*listening);
  const Descriptor client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const Descriptor accepted(Accepted(listener.get(), client.get()));
  ASSERT_GE(accepted.get(), 0);
  EXPECT_EQ(Option(accepted.get(), TCP_NODELAY), 0);
  TuneConnection(accepted.get());
  EXPECT_EQ(Option(accepted.get(), TCP_NODELAY), 1);
  EXPECT_EQ(CongestionControl(accepted.get()), "reno");
}

// A client that left before it was looked at has no address any more, as one far away has another.
TEST(SocketTest, WhoIsNotKnownToBeHereGetsWhatTheSystemPrefers) {
  const auto listening = Listen("127.0.0.1", 0);
  ASSERT_TRUE(listening.ok()) << listening.status();
  const Descriptor inherits(*listening);
  ASSERT_EQ(CongestionControl(inherits.get()), "reno");
  const Descriptor fresh(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const std::string preferred = CongestionControl(fresh.get());
  ASSERT_NE(preferred, "");
  TuneConnection(inherits.get());  // has no peer
  EXPECT_EQ(CongestionControl(inherits.get()), preferred);
}

// Whatever the family of the listening socket, an IPv4 client is one.
TEST(SocketTest, TheEndsOfAConnectionAreNamed) {
  for (const char* host : {"127.0.0.1", "::"}) {
    const auto listening = Listen(host, 0);
    if (!listening.ok() && std::string(host) == "::") continue;  // a machine without IPv6
    ASSERT_TRUE(listening.ok()) << listening.status();
    const Descriptor listener(*listening);
    const Descriptor client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const Descriptor accepted(Accepted(listener.get(), client.get()));
    ASSERT_GE(accepted.get(), 0);
    const ConnectionEnds ends = DescribeEnds(accepted.get());
    EXPECT_EQ(ends.client, "127.0.0.1") << host;
    EXPECT_TRUE(ends.to_loopback) << host;
  }
  int pair[2] = {-1, -1};
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
  const Descriptor one(pair[0]);
  const Descriptor other(pair[1]);
  EXPECT_EQ(DescribeEnds(one.get()).client, "uid:" + std::to_string(geteuid()));
  EXPECT_FALSE(DescribeEnds(one.get()).to_loopback);
}

TEST(SocketTest, WhatIsNoTcpSocketHasNoCongestionControl) {
  const Descriptor other(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(CongestionControl(other.get()), "");
  TuneConnection(other.get());  // changes nothing, and does not fail
}

TEST(FastReaderTest, PlacesAreFewAndComeBack) {
  std::vector<std::unique_ptr<FastReader>> places;
  while (places.size() < 1000) {
    std::unique_ptr<FastReader> place = FastReader::Take();
    if (place == nullptr) break;
    places.push_back(std::move(place));
  }
  EXPECT_EQ(places.size(), 64u);
  places.pop_back();
  places.push_back(FastReader::Take());
  EXPECT_NE(places.back(), nullptr);
}

// However fast the reader was: the next reply on its connection begins with the room of all.
TEST(FastReaderTest, RoomAndPlaceGoWithTheReply) {
  const auto listening = Listen("127.0.0.1", 0);
  ASSERT_TRUE(listening.ok()) << listening.status();
  const Descriptor listener(*listening);
  const Descriptor client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const Descriptor accepted(Accepted(listener.get(), client.get()));
  ASSERT_GE(accepted.get(), 0);
  ASSERT_EQ(Option(accepted.get(), TCP_NOTSENT_LOWAT), kMaxUnsentBytes);
  std::thread reader([&client] {
    std::vector<char> buffer(1 << 20);
    while (recv(client.get(), buffer.data(), buffer.size(), 0) > 0) continue;
  });
  Reply reply;
  reply.body.assign(32 << 20, 'x');
  ReplySender sender(std::move(reply), {}, Pace(std::chrono::minutes(1), 1));
  const std::function<bool()> nobody = [] { return false; };
  Patience patience(true, nobody);
  for (auto progress = sender.Send(accepted.get(), patience);;
       progress = sender.Send(accepted.get(), patience)) {
    ASSERT_TRUE(progress.ok()) << progress.status();
    if (*progress == ReplySender::Progress::kAll) break;
  }
  EXPECT_EQ(Option(accepted.get(), TCP_NOTSENT_LOWAT), kMaxUnsentBytes);
  shutdown(accepted.get(), SHUT_RDWR);
  reader.join();
  std::vector<std::unique_ptr<FastReader>> places;
  for (int i = 0; i < 64; ++i) places.push_back(FastReader::Take());
  EXPECT_NE(places.back(), nullptr);
}

}  // namespace
}  // namespace varve
