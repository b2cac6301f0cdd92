// What an HTTP request line and its headers mean to an OCI registry: pure functions over
// untrusted text, without a server. Thread-safe; memory in proportion to the input.
#ifndef VARVE_DAEMON_HTTP_ROUTE_H_
#define VARVE_DAEMON_HTTP_ROUTE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace varve {

// A name of 255 bytes, a sha512 digest and ten tags of 128 bytes, all percent-encoded, are 5 KiB.
inline constexpr size_t kMaxTargetBytes = 8192;
inline constexpr size_t kMaxQueryParameters = 64;

enum class Endpoint {
  kBase,       // /v2/
  kCatalog,    // /v2/_catalog
  kBlob,       // /v2/<name>/blobs/<digest>
  kUploads,    // /v2/<name>/blobs/uploads/
  kUpload,     // /v2/<name>/blobs/uploads/<session>
  kManifest,   // /v2/<name>/manifests/<tag or digest>
  kTags,       // /v2/<name>/tags/list
  kReferrers,  // /v2/<name>/referrers/<digest>
  kLive,       // /livez
  kReady,      // /readyz
};

struct QueryParameter {
  std::string key;
  std::string value;
};

struct Route {
  Endpoint endpoint = Endpoint::kBase;
  std::string repository;  // as written: neither its grammar nor its length is checked here
  std::string reference;  // the last path segment: digest, tag or session; empty when there is none
  std::vector<QueryParameter> query;  // in order, decoded; keys may repeat

  // The first value of `key`, or nullopt.
  std::optional<std::string_view> Query(std::string_view key) const;
};

// Parses a request target in origin form ("/v2/…?…") or absolute form ("http://host/v2/…"). Names
// may contain the words blobs, manifests, tags, …: the endpoint is found from the right end.
//   OutOfRange        longer than kMaxTargetBytes
//   InvalidArgument   malformed escape, control character, encoded slash, "." or ".." segment,
//                     more than kMaxQueryParameters; payload kPlacePayload, where that is known:
//                     the key of the query parameter, or the segment before the malformed one
//   NotFound          no endpoint has this form
absl::StatusOr<Route> ParseTarget(std::string_view target);
inline constexpr char kPlacePayload[] = "varve/place";

// Content-Range of an upload request: "<first>-<last>", both inclusive. The form of RFC 9110,
// "bytes <first>-<last>/<total or *>", is understood as well. InvalidArgument otherwise.
struct UploadRange {
  uint64_t first = 0;
  uint64_t last = 0;
  uint64_t length_bytes() const { return last - first + 1; }
};
absl::StatusOr<UploadRange> ParseUploadRange(std::string_view header);

// True when `header` (If-None-Match: a list of entity tags, or "*") names `etag`, which includes
// its quotes.
bool MatchesEntityTag(std::string_view header, std::string_view etag);

// Decimal digits only; nullopt when empty, malformed or over 2^64 - 1.
std::optional<uint64_t> ParseDecimal(std::string_view text);
// The same for numbers that may be larger than anything they are compared with: more than 2^64 - 1
// is 2^64 - 1.
std::optional<uint64_t> ParseSaturating(std::string_view text);

// Everything but unreserved characters, ':' and '/' as %XX.
std::string PercentEncode(std::string_view text);

// Paths for Location headers; relative to the host, so that they hold behind a proxy.
std::string BlobLocation(std::string_view repository, std::string_view digest);
std::string ManifestLocation(std::string_view repository, std::string_view digest);
std::string UploadLocation(std::string_view repository, std::string_view session);

// Value of a Link header: <path?key=value&…>; rel="next". Values are encoded.
std::string NextLink(std::string_view path, const std::vector<QueryParameter>& query);

// Value of the Range header of an upload: "0-<last byte received>", "0-0" when there is none yet,
// which is how the protocol says it.
std::string UploadProgress(uint64_t offset_bytes);

// True for the session ids that this door hands out and takes: 1 to 128 of [A-Za-z0-9._=-].
bool IsSessionId(std::string_view text);

}  // namespace varve

#endif  // VARVE_DAEMON_HTTP_ROUTE_H_
