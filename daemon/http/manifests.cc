// Pulling, pushing and deleting manifests, by tag or by digest. A GET answers the stored media type
// whatever the client accepts, as registries do since they no longer convert manifests.
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/http/handlers.h"
#include "daemon/leased_call.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/hasher.h"
#include "storage/image/names.h"
#include "storage/limits.h"

namespace varve {
namespace {

// A tag has no colon, a digest always has one.
bool LooksLikeDigest(std::string_view reference) {
  return reference.find(':') != std::string_view::npos;
}

struct ParsedReference {
  ManifestReference value;
  bool is_digest = false;
};

// The tag or digest of the path; otherwise `*refusal` is set.
std::optional<ParsedReference> ParseReference(const Exchange& exchange, Reply* refusal) {
  const std::string& text = exchange.route.reference;
  if (LooksLikeDigest(text)) {
    const absl::StatusOr<Digest> digest = Digest::Parse(text);
    if (digest.ok()) return ParsedReference{*digest, true};
    *refusal = BadDigest(digest.status());
    return std::nullopt;
  }
  const absl::Status tag = ValidateTag(text);
  if (tag.ok()) return ParsedReference{text, false};
  *refusal = ErrorReply(400, "MANIFEST_INVALID", ToStd(tag.message()));
  return std::nullopt;
}

Reply TooLarge() {
  return ErrorReply(413, "SIZE_INVALID",
                    StrCat("a manifest may have at most ", kMaxManifestBytes, " bytes"));
}

About AboutOf(const ParsedReference& reference) {
  return reference.is_digest ? About::kManifest : About::kTag;
}

Reply ManifestReply(const ManifestInfo& info, bool by_digest) {
  Reply reply;
  AddContentHeaders(&reply, info.media_type, info.digest);
  // What a tag names may change with the next push.
  reply.AddHeader("Cache-Control", by_digest ? "max-age=31536000, immutable" : "no-cache");
  reply.head_length_bytes = info.size_bytes;
  return reply;
}

// "a/b; charset=utf-8" is the media type a/b.
std::string MediaTypeOf(std::string_view content_type) {
  content_type = content_type.substr(0, content_type.find(';'));
  while (!content_type.empty() && content_type.back() == ' ') content_type.remove_suffix(1);
  return std::string(content_type);
}

// The tag of the path and those of ?tag=…, repeated; a refusal when one is no tag.
std::optional<Reply> CollectTags(const Exchange& exchange, const ParsedReference& reference,
                                 std::vector<std::string>* tags) {
  if (!reference.is_digest) tags->push_back(exchange.route.reference);
  for (const QueryParameter& parameter : exchange.route.query) {
    if (parameter.key != "tag") continue;
    const absl::Status status = ValidateTag(parameter.value);
    if (!status.ok()) return ErrorReply(400, "MANIFEST_INVALID", ToStd(status.message()));
    if (tags->size() == kMaxTagsPerPut) {
      return ErrorReply(414, "MANIFEST_INVALID",
                        StrCat("one manifest push may set at most ", kMaxTagsPerPut, " tags"));
    }
    tags->push_back(parameter.value);
  }
  return std::nullopt;
}

Reply PutError(const Exchange& exchange, const PutManifestRequest& put,
               const absl::Status& status) {
  if (absl::IsInvalidArgument(status) && put.expected.has_value() &&
      HashBytes(put.expected->algorithm(), put.bytes) != *put.expected) {
    return ErrorReply(400, "DIGEST_INVALID",
                      "the manifest does not have the digest that the request names");
  }
  return StoreError(exchange, status, About::kManifest);
}

// The body of a PUT: the manifest, at most kMaxManifestBytes of it.
class ManifestBody : public BodySink {
 public:
  ManifestBody(const Exchange& exchange, ParsedReference reference, std::vector<std::string> tags)
      : exchange_(exchange), reference_(std::move(reference)) {
    put_.tags = std::move(tags);
    bytes_.reserve(exchange.request.content_length.value_or(0));
  }

  std::optional<Reply> Take(std::string_view bytes) override {
    if (bytes.size() > kMaxManifestBytes - bytes_.size()) return TooLarge();
    bytes_.append(bytes);
    return std::nullopt;
  }
  Reply Finish() override;
  Reply Fail(const absl::Status& status) override { return BodyError(exchange_, status); }
  size_t held_bytes() const override { return bytes_.size(); }

 private:
  const Exchange& exchange_;
  const ParsedReference reference_;
  PutManifestRequest put_;
  std::string bytes_;
};

Reply ManifestBody::Finish() {
  put_.bytes = bytes_;
  put_.media_type = MediaTypeOf(exchange_.request.content_type);
  if (reference_.is_digest) put_.expected = std::get<Digest>(reference_.value);

  if (!exchange_.request.lease.empty() && !reference_.is_digest) {
    const Digest digest = HashBytes(put_.algorithm, put_.bytes);
    const absl::Status attached =
        AttachTo(exchange_.store.claims, exchange_.request.lease, {digest});
    if (!attached.ok()) return LeaseError(exchange_, attached);
  }
  const absl::StatusOr<ManifestInfo> info =
      exchange_.store.manifests.PutManifest(exchange_.route.repository, put_);
  if (!info.ok()) return PutError(exchange_, put_, info.status());
  Reply reply;
  reply.status = 201;
  const std::string digest = info->digest.ToString();
  reply.AddHeader("Location", ManifestLocation(exchange_.route.repository, digest));
  reply.AddDigest(digest);
  if (info->subject.has_value()) reply.AddHeader("OCI-Subject", info->subject->ToString());
  if (reference_.is_digest) {
    for (const std::string& tag : put_.tags) reply.AddHeader("OCI-Tag", tag);
  }
  return reply;
}

}  // namespace

Reply GetManifest(const Exchange& exchange) {
  Reply refusal;
  const std::optional<ParsedReference> reference = ParseReference(exchange, &refusal);
  if (!reference.has_value()) return refusal;
  // What the URL names by digest is attached by now.
  const std::string_view lease =
      reference->is_digest ? std::string_view() : std::string_view(exchange.request.lease);
  LeasedManifests manifests(exchange.store.manifests, exchange.store.claims, lease);
  if (exchange.is_head()) {
    const absl::StatusOr<ManifestInfo> info =
        manifests.StatManifest(exchange.route.repository, reference->value);
    if (!info.ok()) return StoreError(exchange, info.status(), AboutOf(*reference));
    if (std::optional<Reply> same = NotModified(exchange, info->digest)) return *std::move(same);
    return ManifestReply(*info, reference->is_digest);
  }
  absl::StatusOr<Manifest> manifest =
      manifests.GetManifest(exchange.route.repository, reference->value);
  if (!manifest.ok()) return StoreError(exchange, manifest.status(), AboutOf(*reference));
  if (std::optional<Reply> same = NotModified(exchange, manifest->info.digest)) {
    return *std::move(same);
  }
  Reply reply = ManifestReply(manifest->info, reference->is_digest);
  reply.body = std::move(manifest->bytes);
  return reply;
}

Answer PutManifest(const Exchange& exchange) {
  Reply refusal;
  std::optional<ParsedReference> reference = ParseReference(exchange, &refusal);
  if (!reference.has_value()) return refusal;
  std::vector<std::string> tags;
  if (std::optional<Reply> bad = CollectTags(exchange, *reference, &tags)) return *std::move(bad);
  if (exchange.request.content_length.value_or(0) > kMaxManifestBytes) return TooLarge();
  return std::make_unique<ManifestBody>(exchange, *std::move(reference), std::move(tags));
}

Reply DeleteManifest(const Exchange& exchange) {
  Reply refusal;
  const std::optional<ParsedReference> reference = ParseReference(exchange, &refusal);
  if (!reference.has_value()) return refusal;
  const std::string& repository = exchange.route.repository;
  const absl::Status status =
      reference->is_digest
          ? exchange.store.manifests.DeleteManifest(repository, std::get<Digest>(reference->value))
          // The protocol has no way to ask for force, and clean-ups in CI do not ask anybody.
          : exchange.store.manifests.Untag(repository, std::get<std::string>(reference->value),
                                           true);
  // A delete never lacks content: FailedPrecondition here means that something holds the manifest.
  if (!status.ok()) {
    return StoreError(exchange, status,
                      absl::IsFailedPrecondition(status) ? About::kTag : AboutOf(*reference));
  }
  Reply reply;
  reply.status = 202;
  if (reference->is_digest) reply.digest = exchange.route.reference;
  return reply;
}

}  // namespace varve
