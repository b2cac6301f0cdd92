// What the tests of the HTTP door share: a running server over a Store, content to push, and the
// usual sequences of requests.
#ifndef VARVE_TESTS_DAEMON_HTTP_HTTP_DOOR_H_
#define VARVE_TESTS_DAEMON_HTTP_HTTP_DOOR_H_

#include <memory>
#include <string>
#include <utility>

#include "daemon/http/server.h"
#include "gtest/gtest.h"
#include "storage/base/str_cat.h"
#include "tests/daemon/http/http_client.h"
#include "tests/support/content.h"
#include "tests/support/temporary_directory.h"

namespace varve {

// A manifest of an image whose blobs are these. `more` is further fields, each after a comma.
inline std::string ImageManifest(const std::string& config, const std::string& layer,
                                 const std::string& more = "") {
  return ManifestOf(Described(kConfigType, config), {Described(kLayerType, layer)}, more);
}

inline std::unique_ptr<HttpServer> StartDoor(const Store& store, HttpServerOptions options = {}) {
  options.port = 0;
  absl::StatusOr<std::unique_ptr<HttpServer>> server = HttpServer::Start(store, options);
  EXPECT_TRUE(server.ok()) << server.status();
  return server.ok() ? *std::move(server) : nullptr;
}

// The path of a Location header on a new upload of `repository`.
inline std::string NewUpload(HttpClient& client, const std::string& repository,
                             const std::string& query = "") {
  const HttpResponse response =
      client.Do("POST", StrCat("/v2/", repository, "/blobs/uploads/", query));
  EXPECT_EQ(response.status, 202) << response.body;
  return response.Header("location");
}

inline HttpResponse PushBlob(HttpClient& client, const std::string& repository,
                             const std::string& bytes) {
  return client.Do("POST", StrCat("/v2/", repository, "/blobs/uploads/?digest=", DigestOf(bytes)),
                   bytes);
}

inline HttpResponse PushManifest(HttpClient& client, const std::string& repository,
                                 const std::string& reference, const std::string& bytes) {
  return client.Do("PUT", StrCat("/v2/", repository, "/manifests/", reference), bytes,
                   {{"Content-Type", kManifestType}});
}

// The "code" of an OCI error body, or "" when the body is not one.
inline std::string ErrorCode(const HttpResponse& response) {
  constexpr std::string_view kStart = R"({"errors":[{"code":")";
  if (response.Header("content-type") != "application/json") return "";
  if (response.body.substr(0, kStart.size()) != kStart) return "";
  const std::string rest = response.body.substr(kStart.size());
  return rest.substr(0, rest.find('"'));
}

}  // namespace varve

#endif  // VARVE_TESTS_DAEMON_HTTP_HTTP_DOOR_H_
