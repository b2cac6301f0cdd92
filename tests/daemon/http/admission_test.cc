// Who may come in through the HTTP door: web pages must not, wherever they pretend to be from, and
// nobody changes a registry that is only read.
#include <sys/stat.h>

#include <filesystem>
#include <memory>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/daemon/http/fake_store.h"
#include "tests/daemon/http/http_client.h"
#include "tests/daemon/http/http_door.h"

namespace varve {
namespace {

using testing::HasSubstr;

class HttpAdmission : public testing::Test {
 protected:
  void Start(const HttpServerOptions& options = {}) { server_ = StartDoor(store_, options); }

  // The answer on a connection of its own, to 127.0.0.1.
  HttpResponse Do(std::string_view method, std::string_view target, const HttpHeaders& headers) {
    HttpClient client(server_->port());
    return client.Do(method, target, {}, headers);
  }
  int StatusFor(const std::string& host, std::string_view target = "/v2/") {
    return Do("GET", target, {{"Host", host}}).status;
  }

  FakeStore store_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpAdmission, AForeignHostOnALoopbackAddressIsMisdirected) {
  Start();
  for (const char* host : {"localhost", "localhost:5000", "127.0.0.1:5000", "[::1]:5000",
                           "10.0.0.7", "registry", "varve.localhost:80"}) {
    EXPECT_EQ(StatusFor(host), 200) << host;
  }
  const HttpResponse refused = Do("GET", "/v2/_catalog", {{"Host", "evil.example.com:5000"}});
  EXPECT_EQ(refused.status, 421);
  EXPECT_EQ(ErrorCode(refused), "DENIED");
  EXPECT_THAT(refused.body, HasSubstr("add evil.example.com to [registry] hostnames"));
  EXPECT_EQ(StatusFor("localhost.example.com"), 421);
  // Probes come under any name.
  EXPECT_EQ(StatusFor("pod.example.com", "/livez"), 200);
  EXPECT_EQ(StatusFor("pod.example.com", "/readyz"), 200);
  // A target in absolute form says it instead of the header.
  EXPECT_EQ(StatusFor("localhost", "http://evil.example.com/v2/"), 421);
  EXPECT_EQ(StatusFor("evil.example.com", "http://localhost/v2/"), 200);
  EXPECT_EQ(StatusFor("localhost", "http://a@b/v2/"), 400);
}

TEST_F(HttpAdmission, HostnamesOfTheConfigurationAreTaken) {
  HttpServerOptions options;
  options.hostnames = {"registry.example.com", "mirror.example.com"};
  Start(options);
  EXPECT_EQ(StatusFor("registry.example.com"), 200);
  EXPECT_EQ(StatusFor("Registry.Example.COM:443"), 200);
  EXPECT_EQ(StatusFor("mirror.example.com."), 200);
  EXPECT_EQ(StatusFor("other.example.com"), 421);
  options.hostnames = {"*"};
  Start(options);
  EXPECT_EQ(StatusFor("any.example.com"), 200);
}

TEST_F(HttpAdmission, AHostThatIsNoneIsABadRequest) {
  HttpServerOptions options;
  options.hostnames = {"*"};
  Start(options);
  for (const char* host : {"a b", "user@host", "host:port", "[::1", "a/b", "a%zz", "a\"b"}) {
    EXPECT_EQ(StatusFor(host), 400) << host;
    EXPECT_EQ(StatusFor(host, "/livez"), 400) << host;
  }
  EXPECT_EQ(StatusFor(""), 200);
}

TEST_F(HttpAdmission, PagesOfOtherSitesChangeNothing) {
  Start();
  const char* const uploads = "/v2/a/blobs/uploads/";
  const auto post = [&](const HttpHeaders& headers) { return Do("POST", uploads, headers); };
  for (const HttpHeaders& headers :
       {HttpHeaders{}, HttpHeaders{{"Sec-Fetch-Site", "same-origin"}},
        HttpHeaders{{"Sec-Fetch-Site", "none"}}, HttpHeaders{{"Origin", "http://localhost"}},
        HttpHeaders{{"Host", "127.0.0.1:5000"}, {"Origin", "http://127.0.0.1:5000"}}}) {
    EXPECT_EQ(post(headers).status, 202);
  }
  const size_t uploads_before = store_.uploads();
  for (const HttpHeaders& headers :
       {HttpHeaders{{"Sec-Fetch-Site", "cross-site"}}, HttpHeaders{{"Sec-Fetch-Site", "same-site"}},
        HttpHeaders{{"Origin", "null"}}, HttpHeaders{{"Origin", "https://evil.example.com"}},
        HttpHeaders{{"Origin", "http://localhost:8080"}},
        HttpHeaders{{"Origin", "http://localhost"}, {"Sec-Fetch-Site", "cross-site"}}}) {
    const HttpResponse refused = post(headers);
    EXPECT_EQ(refused.status, 403) << headers[0].second;
    EXPECT_EQ(ErrorCode(refused), "DENIED");
    for (const char* method : {"PUT", "PATCH", "DELETE"}) {
      EXPECT_EQ(Do(method, "/v2/a/manifests/v1", headers).status, 403) << method;
    }
  }
  EXPECT_EQ(store_.uploads(), uploads_before);
  // Reading is allowed: without a header that says so, the browser does not give the page the
  // bytes.
  const HttpResponse read = Do("GET", "/v2/", {{"Origin", "https://evil.example.com"}});
  EXPECT_EQ(read.status, 200);
  EXPECT_EQ(read.Header("access-control-allow-origin"), "");
}

TEST_F(HttpAdmission, NoAnswerIsTakenForAPage) {
  Start();
  EXPECT_EQ(Do("GET", "/v2/", {}).Header("x-content-type-options"), "nosniff");
  EXPECT_EQ(Do("GET", "/nothing", {}).Header("x-content-type-options"), "nosniff");
}

TEST_F(HttpAdmission, AReadOnlyRegistryChangesNothing) {
  const std::string bytes = TestBytes(100);
  Start();
  HttpClient writer(server_->port());
  ASSERT_EQ(PushBlob(writer, "a", bytes).status, 201);
  const std::string upload = NewUpload(writer, "a");
  HttpServerOptions options;
  options.read_only = true;
  Start(options);
  HttpClient client(server_->port());
  const std::string blob = "/v2/a/blobs/" + DigestOf(bytes);
  for (const auto& [method, target] :
       {std::pair<std::string, std::string>{"POST", "/v2/a/blobs/uploads/"},
        {"PATCH", upload},
        {"PUT", upload + "?digest=" + DigestOf("")},
        {"DELETE", upload},
        {"DELETE", blob},
        {"PUT", "/v2/a/manifests/v1"},
        {"DELETE", "/v2/a/manifests/v1"}}) {
    const HttpResponse refused = client.Do(method, target);
    EXPECT_EQ(refused.status, 405) << method << " " << target;
    EXPECT_EQ(ErrorCode(refused), "UNSUPPORTED");
    EXPECT_EQ(refused.Header("allow"), "GET, HEAD");
    EXPECT_THAT(refused.body, HasSubstr("[registry] read_only"));
  }
  EXPECT_TRUE(client.Do("GET", blob).body == bytes);
  EXPECT_EQ(client.Do("HEAD", blob).status, 200);
  EXPECT_EQ(client.Do("GET", upload).status, 204);
}

TEST_F(HttpAdmission, TheLogSaysWhoAskedForWhatAndWhichKeyLetsHimIn) {
  Start();
  testing::internal::CaptureStderr();
  Do("GET", "/v2/a/manifests/v1", {{"User-Agent", "docker/27.0 go/1.22"}});
  Do("GET", "/v2/", {{"Host", "registry.example.com"}, {"User-Agent", "browser"}});
  server_->Stop(std::chrono::milliseconds(1000));
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("info pull "));
  EXPECT_THAT(log, HasSubstr(" client=127.0.0.1 user_agent=\"docker/27.0 go/1.22\""));
  EXPECT_THAT(log, HasSubstr("warning refused "));
  EXPECT_THAT(log, HasSubstr("add registry.example.com to [registry] hostnames"));
}

TEST_F(HttpAdmission, TheLogSaysWhoIsBehindATrustedProxy) {
  const auto log_of_a_pull = [this](std::vector<std::string> trusted_proxies) {
    HttpServerOptions options;
    options.trusted_proxies = std::move(trusted_proxies);
    Start(options);
    testing::internal::CaptureStderr();
    Do("GET", "/v2/a/manifests/v1", {{"X-Forwarded-For", "203.0.113.5, 198.51.100.7"}});
    server_->Stop(std::chrono::milliseconds(1000));
    return testing::internal::GetCapturedStderr();
  };
  EXPECT_THAT(log_of_a_pull({"127.0.0.1"}), HasSubstr(" client=198.51.100.7 "));
  EXPECT_THAT(log_of_a_pull({}), HasSubstr(" client=127.0.0.1 "));
}

TEST_F(HttpAdmission, AUnixSocketServesItsGroup) {
  const TemporaryDirectory directory;
  HttpServerOptions options;
  options.socket_path = directory.path() + "/run/registry.sock";
  Start(options);
  ASSERT_NE(server_, nullptr);
  EXPECT_EQ(server_->port(), 0);
  struct stat info {};
  ASSERT_EQ(stat(options.socket_path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777u, 0660u);
  {
    HttpClient client(options.socket_path);
    const std::string bytes = TestBytes(200'000);
    ASSERT_EQ(PushBlob(client, "a", bytes).status, 201);
    EXPECT_TRUE(client.Do("GET", "/v2/a/blobs/" + DigestOf(bytes)).body == bytes);
    // No browser gets here: a proxy may pass any name on.
    EXPECT_EQ(client.Do("GET", "/v2/", {}, {{"Host", "registry.example.com"}}).status, 200);
    EXPECT_EQ(client.Do("POST", "/v2/a/blobs/uploads/", {}, {{"Origin", "null"}}).status, 403);
  }
  const auto second = HttpServer::Start(store_, options);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(options.socket_path));
  server_->Stop(std::chrono::milliseconds(0));
  EXPECT_FALSE(std::filesystem::exists(options.socket_path));
}

}  // namespace
}  // namespace varve
