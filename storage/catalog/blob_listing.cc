#include "storage/catalog/blob_listing.h"

#include <algorithm>
#include <string>
#include <vector>

#include "storage/base/status.h"
#include "storage/index/rows.h"
#include "storage/limits.h"

namespace varve {

absl::StatusOr<Page<BlobDetails>> ListBlobs(Index& index, BlobStore& store,
                                            const PageRequest& page) {
  const size_t limit = std::min(page.limit, kMaxPageRows);
  std::string after;
  if (!page.after.empty()) {
    ASSIGN_OR_RETURN(const Digest last, Digest::Parse(page.after));
    last.AppendKey(&after);
  }
  ASSIGN_OR_RETURN(std::vector<KeyValue> rows,
                   index.Scan(PrefixRange(BlobPrefix(), after), limit + 1));
  Page<BlobDetails> blobs;
  blobs.more = rows.size() > limit;
  if (blobs.more) rows.pop_back();
  blobs.rows.reserve(rows.size());
  for (const KeyValue& value : rows) {
    BlobDetails details;
    if (!ParseBlobKey(value.key, &details.blob.digest)) {
      return absl::DataLossError("a blob row of the index is damaged");
    }
    ASSIGN_OR_RETURN(const BlobRow row, BlobRow::Decode(value.value));
    details.blob.size_bytes = row.size_bytes;
    details.blob.created_nanos = row.created_nanos;
    ASSIGN_OR_RETURN(const BlobTier* const tier, store.TierOf(details.blob.digest, row));
    details.inlined = tier->is_in_index();
    details.quarantined = row.quarantined;
    // What the reclaimer goes by.
    ASSIGN_OR_RETURN(details.referenced, index.HasAny(EdgePrefix(details.blob.digest)));
    blobs.rows.push_back(details);
  }
  return blobs;
}

}  // namespace varve
