// Tags of a repository, referrers of a manifest, repositories of the store; all in pages, with a
// Link header to the next one.
#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/http/handlers.h"
#include "storage/api/manifests.h"
#include "storage/base/json_text.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/manifest.h"
#include "storage/image/names.h"
#include "storage/limits.h"

namespace varve {
namespace {

// A row of referrers carries the annotations of a manifest, up to 4 MiB of them: rows are asked for
// a few at a time and the page ends when it has grown to this.
constexpr size_t kReferrerRowsAtOnce = 8;
constexpr size_t kReferrerPageBytes = 1 << 20;
constexpr size_t kReferrerPageRows = 500;

// Names take at most 128 bytes each: 1.3 MB.
constexpr size_t kTagPageRows = 10'000;
// Shorter listings are made anew as fast.
constexpr size_t kWorthKeepingBytes = 1024;

struct Paging {
  size_t limit = kMaxPageRows;
  std::string after;
};

// ?n= and ?last=; otherwise `*refusal` is set. A larger n than we give is no error: the Link header
// leads on.
std::optional<Paging> ParsePaging(const Exchange& exchange, size_t most, Reply* refusal) {
  Paging paging;
  paging.limit = most;
  if (const auto n = exchange.route.Query("n"); n.has_value()) {
    const std::optional<uint64_t> limit = ParseSaturating(*n);
    if (!limit.has_value()) {
      *refusal = ErrorReply(400, "UNSUPPORTED", "n must be a number, 0 or more");
      return std::nullopt;
    }
    paging.limit = static_cast<size_t>(std::min<uint64_t>(*limit, most));
  }
  paging.after = exchange.route.Query("last").value_or(std::string_view());
  return paging;
}

std::string LinkToNext(std::string_view path, const Paging& paging, std::string_view last,
                       std::string_view artifact_type = {}) {
  std::vector<QueryParameter> query = {{"n", StrCat(paging.limit)}, {"last", std::string(last)}};
  if (!artifact_type.empty()) query.push_back({"artifactType", std::string(artifact_type)});
  return NextLink(path, query);
}

void AppendDescriptor(std::string* out, const ReferrerInfo& referrer) {
  const ManifestInfo& manifest = referrer.manifest;
  *out += R"({"mediaType":)";
  AppendJsonString(out, manifest.media_type, kReplyEscapes);
  *out += StrCat(R"(,"digest":")", manifest.digest.ToString(), R"(","size":)", manifest.size_bytes);
  if (!manifest.artifact_type.empty()) {
    *out += R"(,"artifactType":)";
    AppendJsonString(out, manifest.artifact_type, kReplyEscapes);
  }
  if (!referrer.annotations_json.empty()) {
    *out += R"(,"annotations":)" + referrer.annotations_json;
  }
  *out += "}";
}

struct ReferrerPage {
  std::string rows_json;
  std::string last;  // digest of the last row
  bool more = false;
};

absl::StatusOr<ReferrerPage> CollectReferrers(const Exchange& exchange, const Digest& subject,
                                              std::string_view artifact_type,
                                              const Paging& paging) {
  ReferrerPage result;
  result.last = paging.after;
  result.more = paging.limit > 0;
  size_t rows = 0;
  while (result.more && rows < paging.limit && result.rows_json.size() < kReferrerPageBytes) {
    const PageRequest request{result.last, std::min(kReferrerRowsAtOnce, paging.limit - rows)};
    absl::StatusOr<Page<ReferrerInfo>> page = exchange.store.manifests.ListReferrers(
        exchange.route.repository, subject, artifact_type, request);
    if (!page.ok()) return page.status();
    for (const ReferrerInfo& referrer : page->rows) {
      if (rows++ > 0) result.rows_json += ",";
      AppendDescriptor(&result.rows_json, referrer);
      result.last = referrer.manifest.digest.ToString();
    }
    result.more = page->more && !page->rows.empty();
  }
  return result;
}

absl::StatusOr<Listing> MakeTagListing(const Exchange& exchange, const Paging& paging) {
  const std::string& repository = exchange.route.repository;
  Listing listing;
  listing.body = R"({"name":)";
  AppendJsonString(&listing.body, repository, kReplyEscapes);
  listing.body += R"(,"tags":[)";
  std::string last = paging.after;
  bool more = true;
  size_t rows = 0;
  do {
    // n=0 asks for no names; the repository must exist all the same.
    const size_t limit = std::max<size_t>(std::min(paging.limit - rows, kMaxPageRows), 1);
    ASSIGN_OR_RETURN(Page<TagInfo> page,
                     exchange.store.manifests.ListTags(repository, PageRequest{last, limit}));
    if (paging.limit == 0) page = Page<TagInfo>();
    for (TagInfo& tag : page.rows) {
      if (rows++ > 0) listing.body += ",";
      AppendJsonString(&listing.body, tag.name, kReplyEscapes);
      last = std::move(tag.name);
    }
    more = page.more && !page.rows.empty();
  } while (more && rows < paging.limit);
  listing.body += "]}\n";
  if (more) listing.next = LinkToNext(StrCat("/v2/", repository, "/tags/list"), paging, last);
  return listing;
}

}  // namespace

Reply ListTags(const Exchange& exchange) {
  Reply refusal;
  const std::optional<Paging> paging = ParsePaging(exchange, kTagPageRows, &refusal);
  if (!paging.has_value()) return refusal;
  const std::string& repository = exchange.route.repository;
  // Before the tags are read: what changes from here on is in the next version.
  const absl::StatusOr<uint64_t> version = exchange.store.manifests.TagsVersion(repository);
  if (!version.ok()) return StoreError(exchange, version.status(), About::kName);
  const std::string key = StrCat(repository, " ", paging->limit, " ", paging->after);
  std::shared_ptr<const Listing> listing = exchange.listings.Find(key, *version);
  if (listing == nullptr) {
    const absl::StatusOr<Listing> made = MakeTagListing(exchange, *paging);
    if (!made.ok()) return StoreError(exchange, made.status(), About::kName);
    listing = std::make_shared<const Listing>(*made);
    if (listing->body.size() >= kWorthKeepingBytes) {
      exchange.listings.Keep(key, *version, listing);
    }
  }
  Reply reply;
  reply.AddHeader("Content-Type", "application/json");
  reply.body = listing->body;
  if (!listing->next.empty()) reply.AddHeader("Link", listing->next);
  return reply;
}

Reply ListCatalog(const Exchange& exchange) {
  Reply refusal;
  const std::optional<Paging> paging = ParsePaging(exchange, kMaxPageRows, &refusal);
  if (!paging.has_value()) return refusal;
  Page<std::string> page;
  if (paging->limit > 0) {
    absl::StatusOr<Page<std::string>> found =
        exchange.store.manifests.ListRepositories(PageRequest{paging->after, paging->limit});
    if (!found.ok()) return StoreError(exchange, found.status(), About::kName);
    page = *std::move(found);
  }
  Reply reply;
  reply.AddHeader("Content-Type", "application/json");
  reply.body = R"({"repositories":[)";
  for (size_t i = 0; i < page.rows.size(); ++i) {
    if (i > 0) reply.body += ",";
    AppendJsonString(&reply.body, page.rows[i], kReplyEscapes);
  }
  reply.body += "]}\n";
  if (page.more && !(page.next.empty() && page.rows.empty())) {
    const std::string& last = page.next.empty() ? page.rows.back() : page.next;
    reply.AddHeader("Link", LinkToNext("/v2/_catalog", *paging, last));
  }
  return reply;
}

Reply ListReferrers(const Exchange& exchange) {
  const absl::StatusOr<Digest> subject = Digest::Parse(exchange.route.reference);
  if (!subject.ok()) return BadDigest(subject.status());
  Reply refusal;
  const std::optional<Paging> paging = ParsePaging(exchange, kReferrerPageRows, &refusal);
  if (!paging.has_value()) return refusal;
  if (!paging->after.empty() && !Digest::Parse(paging->after).ok()) {
    return ErrorReply(400, "DIGEST_INVALID", "last must be a digest of the page before");
  }
  const std::string_view artifact_type =
      exchange.route.Query("artifactType").value_or(std::string_view());
  absl::StatusOr<ReferrerPage> page = CollectReferrers(exchange, *subject, artifact_type, *paging);
  // A subject that nobody has heard of has no referrers; that is an answer, not an error.
  if (absl::IsNotFound(page.status())) page = ReferrerPage();
  if (!page.ok()) return StoreError(exchange, page.status(), About::kManifest);
  Reply reply;
  reply.AddHeader("Content-Type", kMediaTypeOciIndex);
  if (!artifact_type.empty()) reply.AddHeader("OCI-Filters-Applied", "artifactType");
  reply.body = StrCat(R"({"schemaVersion":2,"mediaType":")", kMediaTypeOciIndex,
                      R"(","manifests":[)", page->rows_json, "]}\n");
  if (page->more && paging->limit > 0) {
    const std::string path =
        StrCat("/v2/", exchange.route.repository, "/referrers/", subject->ToString());
    reply.AddHeader("Link", LinkToNext(path, *paging, page->last, artifact_type));
  }
  return reply;
}

}  // namespace varve
