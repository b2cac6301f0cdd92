#include "storage/catalog/links.h"

#include <optional>
#include <utility>

#include "storage/base/check.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/index/rows.h"
#include "storage/limits.h"

namespace varve {
namespace {

// Links looked at by one transaction: up to three writes each.
constexpr size_t kLinkPageRows = 300;
static_assert(3 * kLinkPageRows <= kMaxRunOperations);
// Links moved by one transaction: four writes each.
constexpr size_t kMovePageRows = 100;
static_assert(4 * kMovePageRows <= kMaxRunOperations);

}  // namespace

Links::Links(Parts parts)
    : parts_(parts), expiries_(LinkExpiryPrefix(), kLinkNanos + 3600 * kNanosPerSecond) {}

absl::StatusOr<bool> Links::IsVisible(RepositoryId repository, const Digest& digest) {
  if (repository == 0) return true;
  ASSIGN_OR_RETURN(const std::optional<std::string> link,
                   parts_.index.Get(LinkKey(repository, digest)));
  if (link.has_value()) {
    ASSIGN_OR_RETURN(const LinkRow row, LinkRow::Decode(*link));
    if (row.expires_nanos > parts_.clock.WallNanos()) return true;
  }
  return parts_.index.HasAny(EdgePrefix(digest, EdgeKind::kReference, repository));
}

absl::StatusOr<std::vector<bool>> Links::AreVisible(RepositoryId repository,
                                                    absl::Span<const Digest> digests) {
  std::vector<bool> visible(digests.size(), repository == 0);
  if (repository == 0) return visible;
  std::vector<std::string> keys;
  for (const Digest& digest : digests) keys.push_back(LinkKey(repository, digest));
  ASSIGN_OR_RETURN(const OptionalValues links, GetAll(parts_.index, keys));
  const int64_t now = parts_.clock.WallNanos();
  std::vector<size_t> unlinked;
  std::vector<KeyRange> named;
  for (size_t i = 0; i < digests.size(); ++i) {
    if (links[i].has_value()) {
      ASSIGN_OR_RETURN(const LinkRow row, LinkRow::Decode(*links[i]));
      visible[i] = row.expires_nanos > now;
    }
    if (visible[i]) continue;
    unlinked.push_back(i);
    named.push_back(PrefixRange(EdgePrefix(digests[i], EdgeKind::kReference, repository)));
  }
  ASSIGN_OR_RETURN(const FirstRows edges, FirstOfAll(parts_.index, named));
  for (size_t i = 0; i < unlinked.size(); ++i) visible[unlinked[i]] = edges[i].has_value();
  return visible;
}

absl::Status Links::Add(Transaction& txn, RepositoryId repository, const Digest& digest) {
  if (repository == 0) return absl::OkStatus();
  const int64_t now = parts_.clock.WallNanos();
  ASSIGN_OR_RETURN(const std::optional<std::string> value, txn.Get(LinkKey(repository, digest)));
  if (value.has_value()) {
    ASSIGN_OR_RETURN(const LinkRow row, LinkRow::Decode(*value));
    const int64_t left = row.expires_nanos - now;
    if (left > kLinkNanos / 2 && left <= kLinkNanos) return absl::OkStatus();
  }
  return Put(txn, repository, digest, now + kLinkNanos);
}

absl::Status Links::Put(Transaction& txn, RepositoryId repository, const Digest& digest,
                        int64_t expires) {
  RETURN_IF_ERROR(txn.Put(LinkKey(repository, digest), LinkRow{expires}.Encode()));
  return txn.Put(LinkExpiryKey(expires, repository, digest), "");
}

absl::Status Links::AddToWhatStays(Transaction& txn, RepositoryId repository,
                                   absl::Span<const Digest> blobs) {
  std::vector<Digest> unpromised;
  std::vector<KeyRange> edges;
  for (const Digest& blob : blobs) {
    // Whoever is told from now on may name it by that promise, without a link.
    if (parts_.promises.KeptNanos(blob) > 0) {
      RETURN_IF_ERROR(Add(txn, repository, blob));
      continue;
    }
    unpromised.push_back(blob);
    edges.push_back(PrefixRange(EdgePrefix(blob)));
  }
  ASSIGN_OR_RETURN(const FirstRows kept, txn.FirstOfEach(edges));
  for (size_t i = 0; i < unpromised.size(); ++i) {
    if (kept[i].has_value()) RETURN_IF_ERROR(Add(txn, repository, unpromised[i]));
  }
  return absl::OkStatus();
}

absl::Status Links::ActivatePendingEdges(Transaction& txn, RepositoryId repository,
                                         const Digest& digest, size_t limit) {
  const std::string prefix = EdgePrefix(digest, EdgeKind::kPending, repository);
  ASSIGN_OR_RETURN(const std::vector<KeyValue> pending, txn.Scan(PrefixRange(prefix), limit));
  CheckInvariant(pending.size() <= limit, "no more edges change than a transaction has room for");
  for (const KeyValue& row : pending) {
    RETURN_IF_ERROR(txn.Delete(row.key));
    RETURN_IF_ERROR(txn.Put(StrCat(EdgePrefix(digest, EdgeKind::kReference, repository),
                                   std::string_view(row.key).substr(prefix.size())),
                            row.value));
  }
  return absl::OkStatus();
}

absl::Status Links::MoveAll(RepositoryId from, RepositoryId into) {
  const auto move_page = [&](absl::Span<const KeyValue> rows) -> absl::StatusOr<bool> {
    RETURN_IF_ERROR(parts_.index.Run([&](Transaction& txn) -> absl::Status {
      for (const KeyValue& row : rows) {
        RepositoryId repository = 0;
        Digest blob;
        if (!ParseLinkKey(row.key, &repository, &blob)) {
          return absl::DataLossError("a link row of the index is damaged");
        }
        ASSIGN_OR_RETURN(const std::optional<std::string> value,
                         txn.GetForUpdate(row.key, Guard::kExclusive));
        if (!value.has_value()) continue;
        ASSIGN_OR_RETURN(const LinkRow link, LinkRow::Decode(*value));
        RETURN_IF_ERROR(txn.Delete(row.key));
        RETURN_IF_ERROR(txn.Delete(LinkExpiryKey(link.expires_nanos, from, blob)));
        RETURN_IF_ERROR(Add(txn, into, blob));
      }
      return absl::OkStatus();
    }));
    return true;
  };
  return VisitPages(parts_.index, PrefixRange(LinkPrefix(from)), kMovePageRows, move_page);
}

absl::Status Links::Expire() {
  const int64_t now = parts_.clock.WallNanos();
  absl::Status damage;
  RETURN_IF_ERROR(expiries_.Visit(
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
        RETURN_IF_ERROR(parts_.index.Run(
            [&](Transaction& txn) { return ExpirePage(txn, links, now); }, Durability::kBuffered));
        for (const ExpiringLink& link : links) parts_.empty_repositories.Note(link.repository);
        return links.size() == rows.size();
      }));
  return damage;
}

absl::Status Links::ExpirePage(Transaction& txn, absl::Span<const ExpiringLink> links,
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
    RETURN_IF_ERROR(Put(txn, link.repository, link.blob, now + kLinkNanos));
  }
  return absl::OkStatus();
}

}  // namespace varve
