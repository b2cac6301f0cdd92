#include "daemon/http/route.h"

#include <limits>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/cord.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/limits.h"

namespace varve {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool IsControl(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7f;
}

bool IsAlphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// False when an escape is malformed or a control character (NUL too) is in the text or behind one.
// A plus is a plus, in the query too: media types have them, and nothing here has a space.
bool PercentDecode(std::string_view text, std::string* out) {
  out->clear();
  out->reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      if (i + 2 >= text.size()) return false;
      const int high = HexDigit(text[i + 1]);
      const int low = HexDigit(text[i + 2]);
      if (high < 0 || low < 0) return false;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    }
    if (IsControl(c)) return false;
    out->push_back(c);
  }
  return true;
}

absl::Status Malformed(std::string_view what, std::string_view place) {
  absl::Status status =
      absl::InvalidArgumentError(StrCat(what, " has a malformed escape or a control character"));
  status.SetPayload(kPlacePayload, absl::Cord(ToAbsl(place)));
  return status;
}

absl::Status ParseQuery(std::string_view text, std::vector<QueryParameter>* out) {
  while (!text.empty()) {
    const size_t end = text.find('&');
    const std::string_view pair = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (pair.empty()) continue;
    if (out->size() == kMaxQueryParameters) {
      return absl::InvalidArgumentError(
          StrCat("the query has more than ", kMaxQueryParameters, " parameters"));
    }
    const size_t equals = pair.find('=');
    QueryParameter parameter;
    const std::string_view value =
        equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
    if (!PercentDecode(pair.substr(0, equals), &parameter.key) ||
        !PercentDecode(value, &parameter.value)) {
      return Malformed("the query", parameter.key);
    }
    out->push_back(std::move(parameter));
  }
  return absl::OkStatus();
}

// Splits at '/', decodes each segment and refuses what could be read as another path by somebody
// behind or before us: encoded slashes and dot segments.
absl::Status SplitPath(std::string_view path, std::vector<std::string>* out) {
  path.remove_prefix(1);  // the leading slash
  while (true) {
    const size_t end = path.find('/');
    std::string segment;
    if (!PercentDecode(path.substr(0, end), &segment)) {
      return Malformed("the path", out->empty() ? std::string_view() : out->back());
    }
    if (segment == "." || segment == ".." || segment.find('/') != std::string::npos) {
      return absl::InvalidArgumentError(
          "the path must not contain \".\" or \"..\" segments or an encoded slash");
    }
    out->push_back(std::move(segment));
    if (end == std::string_view::npos) return absl::OkStatus();
    path.remove_prefix(end + 1);
  }
}

std::string JoinName(const std::vector<std::string>& segments, size_t tail) {
  std::string name;
  for (size_t i = 1; i + tail < segments.size(); ++i) {
    if (i > 1) name.push_back('/');
    name += segments[i];
  }
  return name;
}

absl::Status NoSuchEndpoint() {
  return absl::NotFoundError("this path is not part of the OCI distribution API");
}

// `segments` is {"v2", name…, tail…}; the tail decides.
absl::Status MatchRepositoryEndpoint(const std::vector<std::string>& segments, Route* route) {
  const size_t count = segments.size();
  const auto from_end = [&](size_t i) -> std::string_view {
    return i <= count ? std::string_view(segments[count - i]) : std::string_view();
  };
  size_t tail = 2;
  if (from_end(1) == "uploads" && from_end(2) == "blobs") {
    route->endpoint = Endpoint::kUploads;
  } else if (from_end(1).empty() && from_end(2) == "uploads" && from_end(3) == "blobs") {
    route->endpoint = Endpoint::kUploads;
    tail = 3;
  } else if (from_end(1).empty()) {
    return NoSuchEndpoint();
  } else if (from_end(2) == "tags" && from_end(1) == "list") {
    route->endpoint = Endpoint::kTags;
  } else if (from_end(2) == "uploads" && from_end(3) == "blobs") {
    route->endpoint = Endpoint::kUpload;
    tail = 3;
  } else if (from_end(2) == "manifests") {
    route->endpoint = Endpoint::kManifest;
  } else if (from_end(2) == "blobs") {
    route->endpoint = Endpoint::kBlob;
  } else if (from_end(2) == "referrers") {
    route->endpoint = Endpoint::kReferrers;
  } else {
    return NoSuchEndpoint();
  }
  route->repository = JoinName(segments, tail);
  if (route->repository.empty()) return NoSuchEndpoint();
  if (route->endpoint != Endpoint::kTags && route->endpoint != Endpoint::kUploads) {
    route->reference = segments.back();
  }
  return absl::OkStatus();
}

absl::Status MatchEndpoint(const std::vector<std::string>& segments, Route* route) {
  const size_t count = segments.size();
  if (count == 1 && (segments[0] == "livez" || segments[0] == "readyz")) {
    route->endpoint = segments[0] == "livez" ? Endpoint::kLive : Endpoint::kReady;
    return absl::OkStatus();
  }
  if (segments[0] != "v2") return NoSuchEndpoint();
  if (count == 1 || (count == 2 && segments[1].empty())) {
    route->endpoint = Endpoint::kBase;
    return absl::OkStatus();
  }
  if (count == 2 && segments[1] == "_catalog") {
    route->endpoint = Endpoint::kCatalog;
    return absl::OkStatus();
  }
  return MatchRepositoryEndpoint(segments, route);
}

std::string_view TrimSpaces(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool StartsWith(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

}  // namespace

std::optional<std::string_view> Route::Query(std::string_view key) const {
  for (const QueryParameter& parameter : query) {
    if (parameter.key == key) return parameter.value;
  }
  return std::nullopt;
}

absl::StatusOr<Route> ParseTarget(std::string_view target) {
  if (target.size() > kMaxTargetBytes) {
    return absl::OutOfRangeError(
        StrCat("the request target is longer than ", kMaxTargetBytes, " bytes"));
  }
  const size_t scheme = target.find("://");
  if (scheme != std::string_view::npos && StartsWith(target, "http")) {
    const size_t path = target.find('/', scheme + 3);
    target = path == std::string_view::npos ? std::string_view("/") : target.substr(path);
  }
  if (target.empty() || target[0] != '/' || target.find('#') != std::string_view::npos) {
    return absl::InvalidArgumentError("the request target must be a path such as /v2/");
  }
  Route route;
  const size_t question = target.find('?');
  if (question != std::string_view::npos) {
    RETURN_IF_ERROR(ParseQuery(target.substr(question + 1), &route.query));
  }
  std::vector<std::string> segments;
  RETURN_IF_ERROR(SplitPath(target.substr(0, question), &segments));
  RETURN_IF_ERROR(MatchEndpoint(segments, &route));
  return route;
}

absl::StatusOr<UploadRange> ParseUploadRange(std::string_view header) {
  const absl::Status malformed = absl::InvalidArgumentError(
      "Content-Range of an upload must be <first byte>-<last byte>, both inclusive");
  std::string_view text = TrimSpaces(header);
  if (StartsWith(text, "bytes ") || StartsWith(text, "bytes=")) text = TrimSpaces(text.substr(6));
  const size_t slash = text.find('/');
  const std::string_view range = text.substr(0, slash);
  const size_t dash = range.find('-');
  if (dash == std::string_view::npos) return malformed;
  const std::optional<uint64_t> first = ParseDecimal(range.substr(0, dash));
  const std::optional<uint64_t> last = ParseDecimal(range.substr(dash + 1));
  if (!first.has_value() || !last.has_value() || *last < *first || *last >= kMaxBlobBytes) {
    return malformed;
  }
  if (slash != std::string_view::npos && text.substr(slash + 1) != "*") {
    const std::optional<uint64_t> total = ParseDecimal(text.substr(slash + 1));
    if (!total.has_value() || *total <= *last) return malformed;
  }
  return UploadRange{*first, *last};
}

bool MatchesEntityTag(std::string_view header, std::string_view etag) {
  if (TrimSpaces(header) == "*") return true;
  while (!header.empty()) {
    const size_t comma = header.find(',');
    std::string_view candidate = TrimSpaces(header.substr(0, comma));
    if (StartsWith(candidate, "W/")) candidate.remove_prefix(2);
    if (candidate == etag) return true;
    if (comma == std::string_view::npos) return false;
    header.remove_prefix(comma + 1);
  }
  return false;
}

std::optional<uint64_t> ParseDecimal(std::string_view text) {
  if (text.empty() || text.size() > 20) return std::nullopt;
  uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    const auto digit = static_cast<uint64_t>(c - '0');
    if (value > (std::numeric_limits<uint64_t>::max() - digit) / 10) return std::nullopt;
    value = value * 10 + digit;
  }
  return value;
}

std::optional<uint64_t> ParseSaturating(std::string_view text) {
  if (text.empty()) return std::nullopt;
  uint64_t value = 0;
  bool over = false;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    const auto digit = static_cast<uint64_t>(c - '0');
    over = over || value > (std::numeric_limits<uint64_t>::max() - digit) / 10;
    if (!over) value = value * 10 + digit;
  }
  return over ? std::numeric_limits<uint64_t>::max() : value;
}

std::string PercentEncode(std::string_view text) {
  constexpr char kHex[] = "0123456789ABCDEF";
  constexpr std::string_view kPlain = "-._~:/";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (IsAlphanumeric(c) || kPlain.find(c) != std::string_view::npos) {
      out.push_back(c);
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out.push_back('%');
      out.push_back(kHex[byte >> 4]);
      out.push_back(kHex[byte & 15]);
    }
  }
  return out;
}

std::string BlobLocation(std::string_view repository, std::string_view digest) {
  return StrCat("/v2/", repository, "/blobs/", digest);
}

std::string ManifestLocation(std::string_view repository, std::string_view digest) {
  return StrCat("/v2/", repository, "/manifests/", digest);
}

std::string UploadLocation(std::string_view repository, std::string_view session) {
  return StrCat("/v2/", repository, "/blobs/uploads/", session);
}

std::string NextLink(std::string_view path, const std::vector<QueryParameter>& query) {
  std::string link = StrCat("<", path);
  char separator = '?';
  for (const QueryParameter& parameter : query) {
    link.push_back(separator);
    separator = '&';
    link += PercentEncode(parameter.key) + "=" + PercentEncode(parameter.value);
  }
  return link + ">; rel=\"next\"";
}

std::string UploadProgress(uint64_t offset_bytes) {
  return StrCat("0-", offset_bytes == 0 ? 0 : offset_bytes - 1);
}

bool IsSessionId(std::string_view text) {
  if (text.empty() || text.size() > kMaxUploadIdBytes) return false;
  for (const char c : text) {
    if (!IsAlphanumeric(c) && c != '.' && c != '_' && c != '=' && c != '-') return false;
  }
  return true;
}

}  // namespace varve
