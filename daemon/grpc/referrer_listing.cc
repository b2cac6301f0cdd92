#include "daemon/grpc/referrer_listing.h"

#include <algorithm>
#include <string>

#include "daemon/grpc/paging.h"
#include "proto/convert/images.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/names.h"
#include "storage/limits.h"

namespace varve {
namespace {

// A row carries the annotations of a manifest, up to 4 MiB of them: rows are asked for a few at a
// time, at most 4 MiB and one row, and the page ends when it has grown to this. 1 + 8 MiB is a
// message that clients take.
constexpr size_t kRowsAtOnce = 8;
constexpr size_t kPageBytes = kMiB;

using Response = v1::ListReferrersResponse;

// One page under construction. Its token is the tag that came last, or the digest.
class ReferrerPage {
 public:
  ReferrerPage(Manifests& manifests, const v1::ListReferrersRequest& request, const Digest& subject,
               Response* response)
      : manifests_(manifests),
        request_(request),
        subject_(subject),
        limit_(PageOf(request).limit),
        response_(response) {}

  absl::Status AddTagged(const std::string& after);
  absl::Status AddReferring(std::string after);
  bool full() const { return rows() >= limit_; }

 private:
  size_t rows() const { return static_cast<size_t>(response_->referrers_size()); }
  absl::Status AddTag(const std::string& tag, const Digest& digest);

  Manifests& manifests_;
  const v1::ListReferrersRequest& request_;
  const Digest& subject_;
  const size_t limit_;
  Response* const response_;
};

absl::Status ReferrerPage::AddTag(const std::string& tag, const Digest& digest) {
  const absl::StatusOr<ManifestInfo> info = manifests_.StatManifest(request_.repository(), digest);
  if (absl::IsNotFound(info.status())) return absl::OkStatus();  // being deleted
  RETURN_IF_ERROR(info.status());
  const std::string& type = request_.artifact_type();
  if (!type.empty() && info->artifact_type != type) return absl::OkStatus();
  Response::Referrer* const row = response_->add_referrers();
  ToMessage(*info, row->mutable_manifest());
  row->set_tag(tag);
  if (full()) response_->set_next_page_token(tag);
  return absl::OkStatus();
}

absl::Status ReferrerPage::AddTagged(const std::string& after) {
  const std::string prefix = SubjectTagPrefix(subject_);
  if (prefix.empty()) return absl::OkStatus();
  PageRequest request{after, kRowsAtOnce};
  if (after.empty()) {
    const absl::StatusOr<ManifestInfo> plain =
        manifests_.StatManifest(request_.repository(), prefix);
    if (plain.ok()) RETURN_IF_ERROR(AddTag(prefix, plain->digest));
    if (!plain.ok() && !absl::IsNotFound(plain.status())) return plain.status();
  }
  // No character of a tag comes after '~', and '.' comes after '-': the rest begins here.
  if (after.empty() || after == prefix) request.after = StrCat(prefix, "-~");
  while (!full()) {
    ASSIGN_OR_RETURN(const Page<TagInfo> page, manifests_.ListTags(request_.repository(), request));
    for (const TagInfo& tag : page.rows) {
      if (SubjectOfTag(tag.name) != subject_) return absl::OkStatus();
      if (full()) return absl::OkStatus();
      RETURN_IF_ERROR(AddTag(tag.name, tag.digest));
      request.after = tag.name;
    }
    if (!page.more) return absl::OkStatus();
  }
  return absl::OkStatus();
}

absl::Status ReferrerPage::AddReferring(std::string after) {
  size_t bytes = 0;
  for (bool more = true; more;) {
    if (full() || bytes >= kPageBytes) {
      response_->set_next_page_token(after);
      return absl::OkStatus();
    }
    const PageRequest request{after, std::min(kRowsAtOnce, limit_ - rows())};
    ASSIGN_OR_RETURN(const Page<ReferrerInfo> page,
                     manifests_.ListReferrers(request_.repository(), subject_,
                                              request_.artifact_type(), request));
    for (const ReferrerInfo& referrer : page.rows) {
      Response::Referrer* const row = response_->add_referrers();
      ToMessage(referrer.manifest, row->mutable_manifest());
      row->set_annotations_json(referrer.annotations_json);
      bytes += referrer.annotations_json.size();
      after = referrer.manifest.digest.ToString();
    }
    more = page.more && !page.rows.empty();
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ListReferrers(Manifests& manifests, const v1::ListReferrersRequest& request,
                           Response* response) {
  if (request.repository().empty()) return absl::InvalidArgumentError("repository is empty");
  ASSIGN_OR_RETURN(const Digest subject, RequiredDigest("digest", request.digest()));
  ReferrerPage page(manifests, request, subject, response);
  const std::string& token = request.page_token();
  if (Digest::Parse(token).ok()) return page.AddReferring(token);
  if (!token.empty() && SubjectOfTag(token) != subject) {
    return absl::InvalidArgumentError("page_token is none of this listing");
  }
  RETURN_IF_ERROR(page.AddTagged(token));
  return page.full() ? absl::OkStatus() : page.AddReferring("");
}

}  // namespace varve
