// Links: what was pushed or mounted is visible in its repository until a manifest there names it,
// or for a day.
#include <utility>
#include <vector>

#include "storage/base/check.h"
#include "storage/base/status.h"
#include "storage/catalog/catalog.h"
#include "storage/index/rows.h"
#include "storage/limits.h"

namespace varve {
namespace {

// Links looked at by one transaction: up to three writes each.
constexpr size_t kLinkPageRows = 300;
static_assert(3 * kLinkPageRows <= kMaxRunOperations);

}  // namespace

Catalog::Catalog(Parts parts)
    : repositories({parts.index, parts.ids, parts.clock, parts.names}),
      empty_repositories({parts.index, parts.promises, parts.clock}),
      parts_(parts),
      recent_pulls_(parts.clock),
      link_expiries_(LinkExpiryPrefix(), kLinkNanos + 3600 * kNanosPerSecond) {}

absl::Status Catalog::Link(Transaction& txn, RepositoryId repository, const Digest& digest) {
  if (repository == 0) return absl::OkStatus();
  const int64_t now = parts_.clock.WallNanos();
  ASSIGN_OR_RETURN(const std::optional<std::string> value, txn.Get(LinkKey(repository, digest)));
  if (value.has_value()) {
    ASSIGN_OR_RETURN(const LinkRow row, LinkRow::Decode(*value));
    const int64_t left = row.expires_nanos - now;
    if (left > kLinkNanos / 2 && left <= kLinkNanos) return absl::OkStatus();
  }
  return PutLink(txn, repository, digest, now + kLinkNanos);
}

absl::Status Catalog::PutLink(Transaction& txn, RepositoryId repository, const Digest& digest,
                              int64_t expires) {
  RETURN_IF_ERROR(txn.Put(LinkKey(repository, digest), LinkRow{expires}.Encode()));
  return txn.Put(LinkExpiryKey(expires, repository, digest), "");
}

absl::Status Catalog::LinkWhatStays(Transaction& txn, RepositoryId repository,
                                    absl::Span<const Digest> blobs) {
  std::vector<Digest> unpromised;
  std::vector<KeyRange> edges;
  for (const Digest& blob : blobs) {
    // Whoever is told from now on may name it by that promise, without a link.
    if (parts_.promises.KeptNanos(blob) > 0) {
      RETURN_IF_ERROR(Link(txn, repository, blob));
      continue;
    }
    unpromised.push_back(blob);
    edges.push_back(PrefixRange(EdgePrefix(blob)));
  }
  ASSIGN_OR_RETURN(const FirstRows kept, txn.FirstOfEach(edges));
  for (size_t i = 0; i < unpromised.size(); ++i) {
    if (kept[i].has_value()) RETURN_IF_ERROR(Link(txn, repository, unpromised[i]));
  }
  return absl::OkStatus();
}

absl::Status Catalog::ExpireLinks() {
  const int64_t now = parts_.clock.WallNanos();
  absl::Status damage;
  RETURN_IF_ERROR(link_expiries_.Visit(
      parts_.index, now, kLinkPageRows,
      [&](absl::Span<const KeyValue> rows) -> absl::StatusOr<bool> {
        std::vector<ExpiringLink> links;
        for (const KeyValue& row : rows) {
          ExpiringLink link{row.key, 0, 0, Digest()};
          if (ParseLinkExpiryKey(row.key, &link.expires, &link.repository, &link.blob)) {
            links.push_back(std::move(link));
          } else {
            damage = absl::DataLossError("a link expiry row of the index is damaged");
          }
        }
        RETURN_IF_ERROR(
            parts_.index.Run([&](Transaction& txn) { return ExpireLinkPage(txn, links, now); },
                             Durability::kBuffered));
        for (const ExpiringLink& link : links) empty_repositories.Note(link.repository);
        return links.size() == rows.size();
      }));
  return damage;
}

absl::Status Catalog::ExpireLinkPage(Transaction& txn, absl::Span<const ExpiringLink> links,
                                     int64_t now) {
  CheckInvariant(links.size() <= kLinkPageRows, "a page of links fits one transaction");
  std::vector<std::string> keys;
  for (const ExpiringLink& link : links) keys.push_back(LinkKey(link.repository, link.blob));
  ASSIGN_OR_RETURN(const OptionalValues values, txn.GetManyForUpdate(keys, Guard::kExclusive));
  for (size_t i = 0; i < links.size(); ++i) {
    const ExpiringLink& link = links[i];
    RETURN_IF_ERROR(txn.Delete(link.row));
    // A link that was renewed has another expiry row.
    if (values[i] != LinkRow{link.expires}.Encode()) continue;
    if (link.expires <= now) {
      RETURN_IF_ERROR(txn.Delete(keys[i]));
      continue;
    }
    // Written while the clock was ahead: from now on it lasts as long as any other.
    RETURN_IF_ERROR(PutLink(txn, link.repository, link.blob, now + kLinkNanos));
  }
  return absl::OkStatus();
}

}  // namespace varve
