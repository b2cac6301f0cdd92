// What the HTTP door withstands: malformed, slow, greedy and vanishing clients, limits, a failing
// store, and being stopped.
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/daemon/http/fake_store.h"
#include "tests/daemon/http/http_client.h"
#include "tests/daemon/http/http_door.h"

namespace varve {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using testing::HasSubstr;
using testing::Not;

class HttpHostile : public testing::Test {
 protected:
  void Start(const HttpServerOptions& options = {}) { server_ = StartDoor(store_, options); }

  // Sends raw bytes on a connection of their own; the status of the answer.
  int Raw(std::string_view bytes) {
    HttpClient client(server_->port());
    client.Send(bytes);
    return client.Read().status;
  }
  // The door still answers.
  void ExpectAlive() {
    HttpClient client(server_->port());
    EXPECT_EQ(client.Do("GET", "/v2/").status, 200);
  }

  FakeStore store_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpHostile, MalformedRequests) {
  Start();
  const std::string host = "Host: x\r\n";
  EXPECT_EQ(Raw("\x16\x03\x01\x02"), 400);
  EXPECT_EQ(Raw("get / HTTP/1.1\r\n\r\n"), 400);
  EXPECT_EQ(Raw("GET /v2/\r\n\r\n"), 400);
  EXPECT_EQ(Raw("GET /v2/ HTTP/1.1\r\n\r\n"), 400);  // no Host
  EXPECT_EQ(Raw("GET /v2/ HTTP/1.1\r\n" + host + host + "\r\n"), 400);
  EXPECT_EQ(Raw("GET /v2/ HTTP/1.1\r\n" + host + "bad header\r\n\r\n"), 400);
  EXPECT_EQ(Raw("GET /v2/ HTTP/2.0\r\n" + host + "\r\n"), 505);
  EXPECT_EQ(Raw("GET /v2/%zz/tags/list HTTP/1.1\r\n" + host + "\r\n"), 400);
  EXPECT_EQ(Raw("GET /v2/a/../../etc/passwd HTTP/1.1\r\n" + host + "\r\n"), 400);
  EXPECT_EQ(Raw("GET /v2/a HTTP/1.1\r\n" + host + "\r\n"), 404);
  EXPECT_EQ(Raw("GET /v2/UPPER/tags/list HTTP/1.1\r\n" + host + "\r\n"), 400);
  EXPECT_EQ(Raw("BREW /v2/ HTTP/1.1\r\n" + host + "\r\n"), 405);
  EXPECT_EQ(Raw("GET /v2/ HTTP/1.1\r\n" + host + "Expect: miracles\r\n\r\n"), 417);
  ExpectAlive();
}

TEST_F(HttpHostile, BodiesWhoseEndIsInDoubt) {
  Start();
  const std::string start = "POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: x\r\n";
  EXPECT_EQ(Raw(start + "Content-Length: 99999999999999999999999\r\n\r\n"), 400);
  EXPECT_EQ(Raw(start + "Content-Length: -1\r\n\r\n"), 400);
  EXPECT_EQ(Raw(start + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n"), 400);
  EXPECT_EQ(Raw(start + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
  EXPECT_EQ(Raw(start + "Transfer-Encoding: gzip, chunked\r\n\r\n"), 501);
  EXPECT_EQ(Raw(start + "Transfer-Encoding: identity\r\n\r\n"), 501);
  EXPECT_EQ(store_.uploads(), 0u);
  // Larger than any blob may be: refused before a byte of it.
  HttpClient client(server_->port());
  const std::string upload = NewUpload(client, "a");
  client.Send(StrCat("PATCH ", upload,
                     " HTTP/1.1\r\nHost: x\r\nContent-Length: 9223372036854775807", "\r\n\r\n"));
  EXPECT_EQ(client.Read().status, 413);
  EXPECT_TRUE(client.ReadToEnd());
}

TEST_F(HttpHostile, MalformedChunks) {
  Start();
  HttpClient client(server_->port());
  const std::string upload = NewUpload(client, "a");
  const std::string head =
      StrCat("PATCH ", upload, " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_EQ(Raw(head + "5\r\nhello\r\nzz\r\n"), 400);
  EXPECT_EQ(store_.CheckpointedBytes(), "hello");
  EXPECT_EQ(Raw(head + "ffffffffffffffffff\r\n"), 400);
  EXPECT_EQ(Raw(head + "1;" + std::string(200'000, 'x')), 400);
  ExpectAlive();
}

TEST_F(HttpHostile, HeaderFloods) {
  Start();
  EXPECT_EQ(Raw("GET /" + std::string(65'536, 'a')), 414);
  EXPECT_EQ(Raw("GET /" + std::string(10'000, 'a') + " HTTP/1.1\r\nHost: x\r\n\r\n"), 414);
  EXPECT_EQ(Raw("GET /v2/ HTTP/1.1\r\nHost: x\r\nX: " + std::string(65'536, 'b')), 431);
  // A token that lists what its bearer may do is long, and no flood.
  EXPECT_EQ(Raw("GET /v2/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " +
                std::string(40'000, 'b') + "\r\n\r\n"),
            200);
  std::string many = "GET /v2/ HTTP/1.1\r\nHost: x\r\n";
  for (int i = 0; i < 200; ++i) many += StrCat("X-", i, ": y\r\n");
  EXPECT_EQ(Raw(many + "\r\n"), 431);
  EXPECT_EQ(Raw(std::string(100'000, '\n')), 400);
  std::string empty_lines;
  for (int i = 0; i < 50'000; ++i) empty_lines += "\r\n";
  EXPECT_EQ(Raw(empty_lines), 400);
  ExpectAlive();
}

TEST_F(HttpHostile, SlowHeadersHoldNoThread) {
  HttpServerOptions options;
  options.max_workers = 1;
  options.header_timeout = milliseconds(1500);
  Start(options);
  HttpClient slow(server_->port());
  slow.Send("GET /v2/ HT");
  std::this_thread::sleep_for(milliseconds(400));
  ExpectAlive();  // by the one thread there is
  slow.Send("TP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(slow.Read().status, 200);
  const auto start = steady_clock::now();
  HttpClient never(server_->port());
  never.Send("GET /v2/ HTTP/1.1\r\nHos");
  EXPECT_TRUE(never.ReadToEnd());
  EXPECT_GE(steady_clock::now() - start, milliseconds(1400));
  EXPECT_LT(steady_clock::now() - start, milliseconds(6000));
}

TEST_F(HttpHostile, IdleConnectionsEnd) {
  HttpServerOptions options;
  options.idle_timeout = milliseconds(300);
  Start(options);
  HttpClient silent(server_->port());
  EXPECT_TRUE(silent.ReadToEnd());
  HttpClient client(server_->port());
  EXPECT_EQ(client.Do("GET", "/v2/").status, 200);
  EXPECT_TRUE(client.ReadToEnd());
}

TEST_F(HttpHostile, StalledBodiesEndAndKeepWhatCame) {
  HttpServerOptions options;
  options.stall_timeout = milliseconds(300);
  Start(options);
  HttpClient client(server_->port());
  const std::string upload = NewUpload(client, "a");
  client.Send(StrCat("PATCH ", upload, " HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc"));
  const HttpResponse response = client.Read();
  EXPECT_EQ(response.status, 408);
  EXPECT_EQ(response.Header("connection"), "close");
  EXPECT_EQ(store_.CheckpointedBytes(), "abc");
}

TEST_F(HttpHostile, DripFedBodiesEnd) {
  HttpServerOptions options;
  options.stall_timeout = milliseconds(500);
  Start(options);
  HttpClient client(server_->port());
  const std::string upload = NewUpload(client, "a");
  client.Send(StrCat("PATCH ", upload, " HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"));
  const auto start = steady_clock::now();
  bool open = true;
  while (open && steady_clock::now() - start < std::chrono::seconds(10)) {
    std::this_thread::sleep_for(milliseconds(50));
    char byte = 0;
    open = client.Send("x") && recv(client.descriptor(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0;
  }
  EXPECT_FALSE(open);
  EXPECT_LT(steady_clock::now() - start, std::chrono::seconds(5));
}

TEST_F(HttpHostile, ReadersThatStallAreCutOff) {
  HttpServerOptions options;
  options.stall_timeout = milliseconds(300);
  options.max_workers = 1;
  Start(options);
  for (const bool hide : {false, true}) {
    store_.set_hide_descriptors(hide);
    const std::string bytes = TestBytes(32 << 20);
    HttpClient pusher(server_->port());
    ASSERT_EQ(PushBlob(pusher, "a", bytes).status, 201);
    HttpClient stalled(server_->port());
    stalled.ShrinkReceiveBuffer();
    stalled.Send(StrCat("GET /v2/a/blobs/", DigestOf(bytes), " HTTP/1.1\r\nHost: x\r\n\r\n"));
    ExpectAlive();  // once the one thread has given up the stalled reader
    HttpClient reader(server_->port());
    EXPECT_TRUE(reader.Do("GET", "/v2/a/blobs/" + DigestOf(bytes)).body == bytes);
  }
}

TEST_F(HttpHostile, ClientsThatDie) {
  Start();
  const std::string bytes = TestBytes(8 << 20);
  {
    HttpClient pusher(server_->port());
    ASSERT_EQ(PushBlob(pusher, "a", bytes).status, 201);
  }
  for (int i = 0; i < 20; ++i) {
    HttpClient puller(server_->port());
    puller.Send(StrCat("GET /v2/a/blobs/", DigestOf(bytes), " HTTP/1.1\r\nHost: x\r\n\r\n"));
    puller.Abandon();
    HttpClient pusher(server_->port());
    pusher.Send("POST /v2/a/blobs/uploads/?digest=" + DigestOf("x") +
                " HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nxxx");
    pusher.Abandon();
  }
  ExpectAlive();
  // A push in one request that died left nothing behind: nobody knows its id.
  const auto deadline = steady_clock::now() + std::chrono::seconds(5);
  while (store_.uploads() > 0 && steady_clock::now() < deadline) {
    std::this_thread::sleep_for(milliseconds(10));
  }
  EXPECT_EQ(store_.uploads(), 0u);
}

TEST_F(HttpHostile, PipelinedRequests) {
  Start();
  HttpClient client(server_->port());
  const std::string upload = NewUpload(client, "a");
  const std::string patch = StrCat("PATCH ", upload, " HTTP/1.1\r\nHost: x\r\n");
  client.Send(patch + "Content-Length: 3\r\n\r\nabc\r\n" +  // and an empty line that is not ours
              patch + "Transfer-Encoding: chunked\r\n\r\n3\r\ndef\r\n0\r\n\r\n" + patch +
              "Content-Length: 0\r\n\r\n" + "GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(client.Read().Header("range"), "0-2");
  EXPECT_EQ(client.Read().Header("range"), "0-5");
  EXPECT_EQ(client.Read().Header("range"), "0-5");
  EXPECT_EQ(client.Read().body, "{}");
  EXPECT_EQ(store_.CheckpointedBytes(), "abcdef");
}

TEST_F(HttpHostile, ManyPipelinedRequestsOnOneThreadAreFair) {
  HttpServerOptions options;
  options.max_workers = 1;
  Start(options);
  std::string burst;
  for (int i = 0; i < 200; ++i) burst += "GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n";
  HttpClient greedy(server_->port());
  greedy.Send(burst);
  HttpClient modest(server_->port());
  EXPECT_EQ(modest.Do("GET", "/v2/").status, 200);
  for (int i = 0; i < 200; ++i) ASSERT_EQ(greedy.Read().status, 200) << i;
}

TEST_F(HttpHostile, ContinueOnlyForBodiesThatAreWanted) {
  Start();
  HttpClient client(server_->port());
  const std::string upload = NewUpload(client, "a");
  client.Send(StrCat("PATCH ", upload,
                     " HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"));
  EXPECT_EQ(client.Read().status, 100);
  client.Send("hello");
  EXPECT_EQ(client.Read().status, 202);
  client.Send(
      "PATCH /v2/a/blobs/uploads/unknown HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000000\r\n"
      "Expect: 100-continue\r\n\r\n");
  const HttpResponse refused = client.Read();
  EXPECT_EQ(refused.status, 404);
  EXPECT_EQ(refused.Header("connection"), "close");
  EXPECT_TRUE(client.ReadToEnd());
}

TEST_F(HttpHostile, UnwantedBodies) {
  Start();
  HttpClient client(server_->port());
  // A short one is read to its end and the connection lives on.
  EXPECT_EQ(client.Do("PATCH", "/v2/a/blobs/uploads/unknown", TestBytes(500'000)).status, 404);
  EXPECT_EQ(client.Do("GET", "/v2/", TestBytes(1000)).status, 200);
  EXPECT_EQ(client.Do("GET", "/v2/").status, 200);
  // Of a long one the client gets the answer, and the connection ends.
  client.Send(
      "PATCH /v2/a/blobs/uploads/unknown HTTP/1.1\r\nHost: x\r\nContent-Length: "
      "10000000000\r\n\r\n");
  client.Send(TestBytes(1 << 20));
  const HttpResponse refused = client.Read();
  EXPECT_EQ(refused.status, 404);
  EXPECT_EQ(refused.Header("connection"), "close");
  EXPECT_TRUE(client.ReadToEnd());
}

TEST_F(HttpHostile, MutatedRequestsInAnyPieces) {
  Start();
  std::mt19937 random(7);  // NOLINT: the same run every time
  const std::string requests[] = {
      "POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
      "GET /v2/a/tags/list?n=5&last=%41 HTTP/1.1\r\nHost: x\r\nRange: bytes=0-5\r\n\r\n",
      "PUT /v2/a/manifests/v1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5;ext=1\r\nhello\r\n0\r\nTrailer: 1\r\n\r\n",
      "PATCH /v2/a/blobs/uploads/upload-1 HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n"
      "Content-Range: 0-3\r\n\r\nabcd"};
  for (size_t i = 0; i < 400; ++i) {
    std::string bytes = requests[i % 4] + requests[random() % 4];
    for (size_t edits = random() % 4; edits > 0; --edits) {
      const size_t at = random() % bytes.size();
      if (random() % 2 == 0) {
        bytes[at] = static_cast<char>(random());
      } else {
        bytes.erase(at, 1 + random() % 20);
      }
    }
    HttpClient client(server_->port());
    const size_t cut = random() % (bytes.size() + 1);
    client.Send(std::string_view(bytes).substr(0, cut));
    if (random() % 8 == 0) std::this_thread::sleep_for(milliseconds(15));
    client.Send(std::string_view(bytes).substr(cut));
    shutdown(client.descriptor(), SHUT_WR);
    ASSERT_TRUE(client.ReadToEnd()) << i << ": " << bytes;
  }
  ExpectAlive();
}

TEST_F(HttpHostile, NoDescriptorsLeft) {
  Start();
  HttpClient before(server_->port());
  EXPECT_EQ(before.Do("GET", "/v2/").status, 200);
  HttpClient waiting(server_->port());
  const size_t used = static_cast<size_t>(std::distance(
      std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator()));
  rlimit old{};
  getrlimit(RLIMIT_NOFILE, &old);
  std::vector<std::unique_ptr<HttpClient>> more;
  for (int i = 0; i < 4; ++i) more.push_back(std::make_unique<HttpClient>(server_->port()));
  std::this_thread::sleep_for(milliseconds(50));
  rlimit low = old;
  low.rlim_cur = used + 6;  // room for about one more
  setrlimit(RLIMIT_NOFILE, &low);
  std::vector<std::unique_ptr<HttpClient>> rest;
  for (int i = 0; i < 8; ++i) rest.push_back(std::make_unique<HttpClient>(server_->port()));
  rusage start{};
  getrusage(RUSAGE_SELF, &start);
  std::this_thread::sleep_for(milliseconds(500));
  rusage end{};
  getrusage(RUSAGE_SELF, &end);
  EXPECT_LT(end.ru_utime.tv_sec * 1000 + end.ru_utime.tv_usec / 1000 -
                start.ru_utime.tv_sec * 1000 - start.ru_utime.tv_usec / 1000,
            200);
  EXPECT_EQ(more.back()->Do("GET", "/v2/").status, 200);
  setrlimit(RLIMIT_NOFILE, &old);
  ExpectAlive();
}

TEST_F(HttpHostile, WithoutDescriptorsTheIdlestGiveWay) {
  Start();
  std::vector<std::unique_ptr<HttpClient>> idle;
  for (int i = 0; i < 4; ++i) {
    idle.push_back(std::make_unique<HttpClient>(server_->port()));
    EXPECT_EQ(idle.back()->Do("GET", "/v2/").status, 200);
  }
  std::this_thread::sleep_for(milliseconds(50));
  // Descriptors are the lowest free numbers: the client gets the last one.
  const int next = dup(0);
  close(next);
  rlimit old{};
  getrlimit(RLIMIT_NOFILE, &old);
  rlimit low = old;
  low.rlim_cur = static_cast<rlim_t>(next) + 1;
  setrlimit(RLIMIT_NOFILE, &low);
  HttpClient newcomer(server_->port());
  EXPECT_EQ(newcomer.Do("GET", "/v2/").status, 200);
  setrlimit(RLIMIT_NOFILE, &old);
  const auto kept = std::count_if(idle.begin(), idle.end(), [](const auto& client) {
    return client->Do("GET", "/v2/").status == 200;
  });
  EXPECT_EQ(kept, 3);
}

TEST_F(HttpHostile, ManyIdleConnections) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const size_t count = std::min<size_t>(2000, (limit.rlim_cur - 100) / 2);
  Start();
  std::vector<std::unique_ptr<HttpClient>> clients;
  for (size_t i = 0; i < count; ++i) {
    clients.push_back(std::make_unique<HttpClient>(server_->port()));
    ASSERT_TRUE(clients.back()->connected()) << i;
  }
  for (const size_t i : {size_t{0}, count / 2, count - 1}) {
    EXPECT_EQ(clients[i]->Do("GET", "/v2/").status, 200);
  }
}

}  // namespace
}  // namespace varve
