// A real varved with very many clients that read or send a few kilobytes a second, beside some that
// are fast: nobody is turned away, the fast ones hardly notice, and memory stays small. Hundreds of
// slow clients; with VARVE_LONG in the environment 4,000 pulls and 1,000 pushes, and then the rates
// count. What was measured is printed.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "tests/daemon/http/http_client.h"
#include "tests/daemon/http/http_door.h"
#include "tests/support/process_use.h"
#include "tests/support/varved_process.h"

namespace varve {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

struct Scale {
  size_t pulls;
  size_t pushes;
  size_t fast;
  seconds time;  // of each measurement
};

bool Long() { return std::getenv("VARVE_LONG") != nullptr; }
Scale ScaleOfTest() {
  return Long() ? Scale{4000, 1000, 100, seconds(20)} : Scale{400, 100, 8, seconds(2)};
}

constexpr milliseconds kTick{200};
constexpr size_t kBytesATick = 1000;
constexpr size_t kSlowPullBytes = 8 << 20;
constexpr size_t kSlowPushBytes = 256 << 10;
constexpr size_t kFastPullBytes = 256 << 10;

// Clients that move kBytesATick every kTick, on one thread.
class SlowClients {
 public:
  SlowClients(uint16_t port, const Scale& scale, const std::string& digest) {
    for (size_t i = 0; i < scale.pulls; ++i) {
      auto client = std::make_unique<HttpClient>(port);
      client->ShrinkReceiveBuffer();
      client->Send(StrCat("GET /v2/a/blobs/", digest, " HTTP/1.1\r\nHost: localhost\r\n\r\n"));
      pulls_.push_back(std::move(client));
    }
    for (size_t i = 0; i < scale.pushes; ++i) {
      auto client = std::make_unique<HttpClient>(port);
      const std::string upload = NewUpload(*client, "a");
      client->Send(StrCat("PATCH ", upload, " HTTP/1.1\r\nHost: localhost\r\nContent-Length: ",
                          kSlowPushBytes, "\r\n\r\n"));
      pushes_.push_back(std::move(client));
    }
    thread_ = std::thread([this] { Run(); });
  }
  ~SlowClients() { Pause(); }
  SlowClients(const SlowClients&) = delete;
  SlowClients& operator=(const SlowClients&) = delete;

  // From then on nothing moves, but the connections stay open.
  void Pause() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  // Connections that the server has ended or that failed.
  size_t lost() const { return lost_; }

 private:
  void Run() {
    char bytes[kBytesATick];
    std::memset(bytes, 'x', sizeof(bytes));
    for (auto next = steady_clock::now(); !stop_; std::this_thread::sleep_until(next += kTick)) {
      size_t lost = 0;
      for (auto& client : pulls_) {
        const ssize_t n = recv(client->descriptor(), bytes, sizeof(bytes), MSG_DONTWAIT);
        lost += n == 0 || (n < 0 && errno != EAGAIN) ? 1 : 0;
      }
      for (auto& client : pushes_) {
        const ssize_t n =
            send(client->descriptor(), bytes, sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL);
        lost += n < 0 && errno != EAGAIN ? 1 : 0;
      }
      lost_ = lost;
    }
  }

  std::vector<std::unique_ptr<HttpClient>> pulls_;
  std::vector<std::unique_ptr<HttpClient>> pushes_;
  std::atomic<bool> stop_{false};
  std::atomic<size_t> lost_{0};
  std::thread thread_;
};

struct Measured {
  double requests_per_second = 0;
  size_t failed = 0;
  milliseconds livez_p99{0};
};

// Fast clients for a while: pulls of a small layer and look-ups; and one that asks for the health.
Measured MeasureFast(uint16_t port, const Scale& scale, const std::string& digest) {
  const auto end = steady_clock::now() + scale.time;
  std::atomic<size_t> requests{0};
  std::atomic<size_t> failed{0};
  std::vector<std::thread> threads;
  for (size_t i = 0; i < scale.fast; ++i) {
    threads.emplace_back([&] {
      HttpClient client(port);
      do {
        const bool pulled = client.Do("GET", "/v2/a/blobs/" + digest).body.size() == kFastPullBytes;
        const bool found = client.Do("HEAD", "/v2/a/blobs/" + digest).status == 200;
        requests += 2;
        failed += (pulled ? 0 : 1) + (found ? 0 : 1);
      } while (steady_clock::now() < end);
    });
  }
  std::vector<milliseconds> health;
  do {
    const auto start = steady_clock::now();
    failed += HttpClient(port).Do("GET", "/livez").status == 200 ? 0 : 1;
    health.push_back(std::chrono::duration_cast<milliseconds>(steady_clock::now() - start));
    std::this_thread::sleep_for(milliseconds(5));
  } while (steady_clock::now() < end);
  for (std::thread& thread : threads) thread.join();
  std::sort(health.begin(), health.end());
  const double spent = static_cast<double>(scale.time.count());
  return {static_cast<double>(requests) / spent, failed, health[health.size() * 99 / 100]};
}

// What all TCP sockets of this machine hold, both ends of ours included, in MiB.
uint64_t SocketMemoryMib() {
  std::ifstream file("/proc/net/sockstat");
  std::string line;
  while (std::getline(file, line)) {
    const size_t at = line.find(" mem ");
    if (line.rfind("TCP:", 0) == 0 && at != std::string::npos) {
      return std::stoull(line.substr(at + 5)) * static_cast<uint64_t>(getpagesize()) >> 20;
    }
  }
  return 0;
}

class HttpSlowPeers : public testing::Test {
 protected:
  void SetUp() override {
    RaiseDescriptorLimit();
    setenv("VARVE_SERVER_DRAIN_TIMEOUT", "10m", 1);
    setenv("VARVE_STORE_MIN_FREE", "0", 1);
    daemon_.emplace(directory_.path());
    ASSERT_TRUE(daemon_->Start());
    ASSERT_TRUE(Eventually([this] { return (port_ = daemon_->RegistryPort()) != 0; }));
  }
  void TearDown() override {
    unsetenv("VARVE_SERVER_DRAIN_TIMEOUT");
    unsetenv("VARVE_STORE_MIN_FREE");
  }

  TemporaryDirectory directory_;
  std::optional<VarvedProcess> daemon_;
  uint16_t port_ = 0;
};

TEST_F(HttpSlowPeers, HardlyDisturbFastOnes) {
  const Scale scale = ScaleOfTest();
  const std::string layer = TestBytes(kSlowPullBytes);
  const std::string small = TestBytes(kFastPullBytes, 2);
  {
    HttpClient pusher(port_);
    ASSERT_EQ(PushBlob(pusher, "a", layer).status, 201);
    ASSERT_EQ(PushBlob(pusher, "a", small).status, 201);
  }
  const Measured alone = MeasureFast(port_, scale, DigestOf(small));
  const uint64_t sockets_before = SocketMemoryMib();
  SlowClients slow(port_, scale, DigestOf(layer));
  std::this_thread::sleep_for(scale.time / 2);
  const Measured beside = MeasureFast(port_, scale, DigestOf(small));
  const uint64_t resident = daemon_->StatusField("VmHWM") / 1024;
  std::printf(
      "fast requests/s alone %.0f, beside %zu slow pulls and %zu slow pushes %.0f (%.2f); /livez "
      "p99 %lld, then %lld ms; %llu MiB resident at most, %llu threads; sockets %llu MiB before, "
      "%llu MiB\n",
      alone.requests_per_second, scale.pulls, scale.pushes, beside.requests_per_second,
      beside.requests_per_second / alone.requests_per_second,
      static_cast<long long>(alone.livez_p99.count()),
      static_cast<long long>(beside.livez_p99.count()), static_cast<unsigned long long>(resident),
      static_cast<unsigned long long>(daemon_->StatusField("Threads")),
      static_cast<unsigned long long>(sockets_before),
      static_cast<unsigned long long>(SocketMemoryMib()));
  EXPECT_EQ(alone.failed, 0u);
  EXPECT_EQ(beside.failed, 0u);
  EXPECT_EQ(slow.lost(), 0u);
  EXPECT_LT(resident, MemoryBound(256));
  // On a machine that does nothing else, and without sanitizers.
  if (Long() && MemoryBound(1) == 1) {
    EXPECT_GE(beside.requests_per_second, 0.8 * alone.requests_per_second);
    EXPECT_LT(beside.livez_p99, milliseconds(50) + alone.livez_p99);
  }

  // None of them may hold up a stop by bringing nothing.
  slow.Pause();
  const auto start = steady_clock::now();
  EXPECT_EQ(daemon_->End(SIGTERM), 0);
  EXPECT_LT(steady_clock::now() - start, std::chrono::minutes(1));
}

}  // namespace
}  // namespace varve
