// Connections that wait for their clients: they hold no thread, go on where they stood, hold little
// memory, give way when others need their place, and do not hold up a stop.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "daemon/log.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/limits.h"
#include "tests/daemon/http/fake_store.h"
#include "tests/daemon/http/http_client.h"
#include "tests/daemon/http/http_door.h"
#include "tests/support/process_use.h"

namespace varve {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using testing::HasSubstr;

// Longer than a worker waits for anybody.
constexpr milliseconds kPause{20};

class HttpWaiting : public testing::Test {
 protected:
  void Start(HttpServerOptions options = {}) {
    options.max_workers = 1;
    server_ = StartDoor(store_, options);
  }
  std::unique_ptr<HttpClient> Connect(const char* from = nullptr) {
    return std::make_unique<HttpClient>(server_->port(), from);
  }
  // A client that has sent `bytes` and now waits.
  std::unique_ptr<HttpClient> Waiting(std::string_view bytes, const char* from = nullptr) {
    auto client = Connect(from);
    client->Send(bytes);
    return client;
  }
  void ExpectAlive(const char* from = nullptr) {
    EXPECT_EQ(Connect(from)->Do("GET", "/livez").status, 200);
  }
  std::string NewUploadOf(const std::string& repository) {
    HttpClient client(server_->port());
    return NewUpload(client, repository);
  }
  // A blob that no socket buffer takes whole.
  std::string PushLargeBlob() {
    const std::string bytes = TestBytes(24 << 20);
    HttpClient client(server_->port());
    EXPECT_EQ(PushBlob(client, "a", bytes).status, 201);
    return bytes;
  }
  // A client that has asked for it and reads nothing.
  std::unique_ptr<HttpClient> StalledPull(const std::string& bytes) {
    auto client = Connect();
    client->Send(
        StrCat("GET /v2/a/blobs/", DigestOf(bytes), " HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    return client;
  }

  FakeStore store_;
  std::unique_ptr<HttpServer> server_;
};

std::string Patch(const std::string& upload, const std::string& more) {
  return StrCat("PATCH ", upload, " HTTP/1.1\r\nHost: localhost\r\n", more);
}

bool IsClosed(const HttpClient& client) {
  char byte = 0;
  return recv(client.descriptor(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

TEST_F(HttpWaiting, BodiesThatStallHoldNoThread) {
  Start();
  std::vector<std::unique_ptr<HttpClient>> stalled;
  for (int i = 0; i < 8; ++i) {
    stalled.push_back(Waiting(Patch(NewUploadOf("a"), "Content-Length: 100\r\n\r\nabc")));
    stalled.push_back(
        Waiting(Patch(NewUploadOf("a"), "Transfer-Encoding: chunked\r\n\r\n5\r\nab")));
    stalled.push_back(Waiting(
        "PUT /v2/a/manifests/v1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"));
    stalled.push_back(
        Waiting(Patch(NewUploadOf("a"), "Content-Length: 9\r\nExpect: 100-continue\r\n\r\n")));
    stalled.push_back(
        Waiting("PATCH /v2/a/blobs/uploads/unknown HTTP/1.1\r\nHost: localhost\r\n"
                "Content-Length: 1000\r\n\r\n"));
  }
  ExpectAlive();
}

TEST_F(HttpWaiting, ReadersThatStallHoldNoThread) {
  Start();
  const std::string bytes = PushLargeBlob();
  for (const bool hide : {false, true}) {
    store_.set_hide_descriptors(hide);
    std::vector<std::unique_ptr<HttpClient>> stalled;
    for (int i = 0; i < 8; ++i) stalled.push_back(StalledPull(bytes));
    ExpectAlive();
    // They were not forgotten: what they did not read at first comes when they do.
    for (auto& client : stalled) EXPECT_TRUE(client->Read().body == bytes);
  }
}

TEST_F(HttpWaiting, ABodyGoesOnWhereItStood) {
  Start();
  const std::string fixed = NewUploadOf("a");
  auto client = Waiting(Patch(fixed, "Content-Length: 9\r\n\r\nabc"));
  for (const char* piece : {"d", "ef", "ghi"}) {
    std::this_thread::sleep_for(kPause);
    ExpectAlive();  // the only thread has another connection in between
    client->Send(piece);
  }
  EXPECT_EQ(client->Read().Header("range"), "0-8");
  // The same connection, chunked, torn in the worst places.
  client->Send(Patch(fixed, "Transfer-Encoding: chunked\r\n\r\n"));
  for (const char* piece :
       {"5;e", "=1\r", "\nhel", "lo", "\r", "\n", "1", "\r\n!\r\n", "0\r\n", "\r", "\n"}) {
    std::this_thread::sleep_for(kPause);
    ExpectAlive();
    client->Send(piece);
  }
  EXPECT_EQ(client->Read().Header("range"), "0-14");
  EXPECT_EQ(store_.CheckpointedBytes(), "abcdefghihello!");
  // And a request that came with the end of it.
  client->Send(Patch(fixed, "Transfer-Encoding: chunked\r\n\r\n1\r\n"));
  std::this_thread::sleep_for(kPause);
  client->Send("?\r\n0\r\n\r\nGET /v2/ HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(client->Read().Header("range"), "0-15");
  EXPECT_EQ(client->Read().body, "{}");
}

TEST_F(HttpWaiting, AFinishedRequestIsNotHeldByItsReader) {
  Start();
  const std::string upload = NewUploadOf("a");
  HttpClient client(server_->port());
  client.Send(Patch(upload, "Content-Length: 3\r\n\r\nabc"));
  EXPECT_EQ(client.Read().status, 202);
  // The answer is in hand, so another connection may continue at once.
  EXPECT_EQ(Connect()->Do("PATCH", upload, "def").Header("range"), "0-5");
}

TEST_F(HttpWaiting, ReadersThatAreSlowGetEveryByte) {
  HttpServerOptions options;
  options.stall_timeout = milliseconds(2000);
  Start(options);
  const std::string bytes = PushLargeBlob();
  auto slow = StalledPull(bytes);
  std::string got;
  size_t want = bytes.size();
  while (got.size() < want) {  // in all longer than the stall timeout, each pause shorter
    std::this_thread::sleep_for(milliseconds(400));
    ExpectAlive();
    std::string part(std::min(bytes.size() / 8, want - got.size()), '\0');
    const ssize_t n = recv(slow->descriptor(), part.data(), part.size(), MSG_WAITALL);
    ASSERT_GT(n, 0);
    got.append(part, 0, static_cast<size_t>(n));
    want = got.find("\r\n\r\n") + 4 + bytes.size();
  }
  EXPECT_TRUE(got.substr(want - bytes.size()) == bytes);
}

TEST_F(HttpWaiting, AStopIsNotHeldUpByWhoBringsNothing) {
  Start();
  const std::string bytes = PushLargeBlob();
  const std::string upload = NewUploadOf("a");
  auto pusher = Waiting(Patch(upload, "Content-Length: 6\r\n\r\nabc"));
  auto puller = StalledPull(bytes);
  std::this_thread::sleep_for(milliseconds(100));
  const auto start = steady_clock::now();
  server_->Stop(seconds(60));
  EXPECT_LT(steady_clock::now() - start, seconds(30));
  EXPECT_TRUE(pusher->ReadToEnd());
  EXPECT_EQ(store_.CheckpointedBytes(), "abc");
}

TEST_F(HttpWaiting, AStopLetsWhoIsSlowFinish) {
  Start();
  const std::string upload = NewUploadOf("a");
  auto pusher = Waiting(Patch(upload, "Content-Length: 9\r\n\r\nabc"));
  std::this_thread::sleep_for(milliseconds(100));
  std::thread stopper([this] { server_->Stop(seconds(60)); });
  for (const char* piece : {"d", "e", "f", "g", "h", "i"}) {
    std::this_thread::sleep_for(milliseconds(600));
    pusher->Send(piece);
  }
  EXPECT_EQ(pusher->Read().status, 202);
  stopper.join();
  EXPECT_EQ(store_.CheckpointedBytes(), "abcdefghi");
}

TEST_F(HttpWaiting, TheIdlestGivesWayAtTheLimit) {
  HttpServerOptions options;
  options.max_connections = 10;
  Start(options);
  std::vector<std::unique_ptr<HttpClient>> clients;
  for (int i = 0; i < 10; ++i) {
    clients.push_back(Connect());
    EXPECT_EQ(clients.back()->Do("GET", "/v2/").status, 200);
    std::this_thread::sleep_for(4 * kPause);
  }
  EXPECT_EQ(clients[0]->Do("GET", "/v2/").status, 200);  // now 1 is the idlest
  std::this_thread::sleep_for(4 * kPause);
  ExpectAlive();
  EXPECT_TRUE(clients[1]->ReadToEnd());
  for (const size_t i : {size_t{0}, size_t{2}, size_t{9}})
    EXPECT_EQ(clients[i]->Do("GET", "/v2/").status, 200) << i;
}

TEST_F(HttpWaiting, WhoHasMostConnectionsGivesWay) {
  HttpServerOptions options;
  options.max_connections = 10;
  Start(options);
  auto modest = Connect("127.0.0.2");
  EXPECT_EQ(modest->Do("GET", "/v2/").status, 200);
  std::vector<std::unique_ptr<HttpClient>> greedy;
  for (int i = 0; i < 20; ++i) greedy.push_back(Connect());
  ExpectAlive("127.0.0.3");
  EXPECT_EQ(modest->Do("GET", "/v2/").status, 200);
}

TEST_F(HttpWaiting, RequestsOfWhoHasMostGiveWayToOthersOnly) {
  HttpServerOptions options;
  options.max_connections = 10;
  Start(options);
  std::vector<std::string> uploads(10);
  for (std::string& upload : uploads) upload = NewUploadOf("a");
  std::this_thread::sleep_for(kPause);
  std::vector<std::unique_ptr<HttpClient>> greedy;
  for (const std::string& upload : uploads) {
    greedy.push_back(Waiting(Patch(upload, "Content-Length: 9\r\n\r\nabc")));
    std::this_thread::sleep_for(kPause);
  }
  EXPECT_EQ(Connect()->Do("GET", "/v2/").status, 0);
  ExpectAlive("127.0.0.2");
  const HttpResponse response = greedy[0]->Read();  // the longest wait
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(response.Header("connection"), "close");
  EXPECT_EQ(Connect("127.0.0.2")->Do("GET", uploads[0]).Header("range"), "0-2");  // it was kept
  greedy[9]->Send("defghi");
  EXPECT_EQ(greedy[9]->Read().status, 202);
}

TEST_F(HttpWaiting, OnePeerHasAShareOfTheConnections) {
  HttpServerOptions options;
  options.max_connections = 20;
  options.max_connections_per_peer = 5;
  Start(options);
  std::vector<std::string> uploads(5);
  for (std::string& upload : uploads) upload = NewUploadOf("a");
  std::vector<std::unique_ptr<HttpClient>> busy;
  for (const std::string& upload : uploads) {
    std::this_thread::sleep_for(kPause);
    busy.push_back(Waiting(Patch(upload, "Content-Length: 9\r\n\r\nabc")));
  }
  std::this_thread::sleep_for(kPause);
  EXPECT_EQ(Connect()->Do("GET", "/v2/").status, 0);
  for (int i = 0; i < 3; ++i) ExpectAlive("127.0.0.2");
  busy.pop_back();
  EXPECT_TRUE(Eventually([this] { return Connect()->Do("GET", "/v2/").status == 200; }));
}

TEST_F(HttpWaiting, LimitsFollowTheDescriptorsThereAre) {
  rlimit old{};
  getrlimit(RLIMIT_NOFILE, &old);
  rlimit low = old;
  low.rlim_cur = 256;
  setrlimit(RLIMIT_NOFILE, &low);
  Start();
  setrlimit(RLIMIT_NOFILE, &old);
  std::vector<std::unique_ptr<HttpClient>> clients;
  for (int i = 0; i < 100; ++i) {
    clients.push_back(Connect());
    EXPECT_EQ(clients.back()->Do("GET", "/v2/").status, 200);
  }
  // 256 - 256 / 2 for the rest, two a connection.
  const auto open = std::count_if(clients.begin(), clients.end(),
                                  [](const auto& client) { return !IsClosed(*client); });
  EXPECT_LE(open, 64);
  EXPECT_GE(open, 40);  // of this peer
}

// 24 manifests of nearly 4 MiB each are half sent and wait: more than all may keep in memory.
TEST_F(HttpWaiting, WhoHoldsMostMemoryGivesWay) {
  Start();
  const std::string half = StrCat(
      "PUT /v2/a/manifests/v1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: ", kMaxManifestBytes,
      "\r\n\r\n", std::string(kMaxManifestBytes - 1000, ' '));
  auto modest = Waiting(half, "127.0.0.2");
  std::vector<std::unique_ptr<HttpClient>> greedy;
  for (int i = 0; i < 24; ++i) greedy.push_back(Waiting(half));
  size_t given_up = 0;
  const auto all_said = [&] {
    for (auto& client : greedy) {
      char byte = 0;
      if (recv(client->descriptor(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0) continue;
      given_up += client->Read().status == 503 ? 1 : 0;
      client = Connect();  // its place in the list is free
    }
    return given_up >= 8;
  };
  EXPECT_TRUE(Eventually(all_said)) << given_up;
  modest->Send(std::string(1000, ' '));
  EXPECT_EQ(modest->Read().status, 400);  // it was taken, and is no manifest
}

// So do 700 requests with heads of 60 KB each whose bodies are awaited.
TEST_F(HttpWaiting, LongHeadsAreMemoryToo) {
  rlimit descriptors{};
  getrlimit(RLIMIT_NOFILE, &descriptors);
  descriptors.rlim_cur = descriptors.rlim_max;
  setrlimit(RLIMIT_NOFILE, &descriptors);
  Start();
  const std::string head =
      StrCat("PUT /v2/a/manifests/v1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n",
             "User-Agent: ", std::string(60'000, 'x'), "\r\n\r\n");
  std::vector<std::unique_ptr<HttpClient>> greedy;
  for (int i = 0; i < 700; ++i) greedy.push_back(Waiting(head));
  const auto one_gave_way = [&] {
    return std::any_of(greedy.begin(), greedy.end(), [](const auto& client) {
      char byte = 0;
      return recv(client->descriptor(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0 &&
             client->Read().status == 503;
    });
  };
  EXPECT_TRUE(Eventually(one_gave_way));
}

// Standard error goes to a file while it lives.
class LogCapture {
 public:
  LogCapture() : path_(testing::TempDir() + "varve_http_log"), saved_(dup(2)) {
    const int file = open(path_.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_APPEND, 0600);
    dup2(file, 2);
    close(file);
  }
  ~LogCapture() {
    dup2(saved_, 2);
    close(saved_);
  }
  std::string Line(const std::string& request_id) const {
    std::ifstream log(path_);
    std::string line;
    while (std::getline(log, line)) {
      if (line.find("request=" + request_id + " ") != std::string::npos) return line;
    }
    return "";
  }

 private:
  const std::string path_;
  const int saved_;
};

TEST_F(HttpWaiting, AnAnswerThatWasBrokenOffIsLoggedWithWhatWentOut) {
  Start();
  const std::string bytes = PushLargeBlob();
  const LogCapture log;
  auto client = Connect();
  client->Send(StrCat("GET /v2/a/blobs/", DigestOf(bytes),
                      " HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: broken-off\r\n\r\n"));
  std::string some(1 << 20, '\0');
  ASSERT_EQ(recv(client->descriptor(), some.data(), some.size(), MSG_WAITALL),
            static_cast<ssize_t>(some.size()));
  client->Abandon();
  std::string line;
  ASSERT_TRUE(Eventually([&] { return !(line = log.Line("broken-off")).empty(); }));
  EXPECT_THAT(line, HasSubstr("reason="));
  const size_t at = line.find(" sent=");
  ASSERT_NE(at, std::string::npos) << line;
  const uint64_t sent = std::stoull(line.substr(at + 6));
  EXPECT_GE(sent, some.size() - 1000);  // its head is in them
  EXPECT_LT(sent, bytes.size());
}

}  // namespace
}  // namespace varve
