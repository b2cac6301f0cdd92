// All blobs of the store, a page at a time: one read of the index a blob, and memory in proportion
// to the page. Thread-safe: no shared state.
#ifndef VARVE_STORAGE_CATALOG_BLOB_LISTING_H_
#define VARVE_STORAGE_CATALOG_BLOB_LISTING_H_

#include "absl/status/statusor.h"
#include "storage/api/blobs.h"
#include "storage/blob/blob_store.h"
#include "storage/index/index.h"

namespace varve {

// Blobs::ListBlobs.
absl::StatusOr<Page<BlobDetails>> ListBlobs(Index& index, BlobStore& store,
                                            const PageRequest& page);

}  // namespace varve

#endif  // VARVE_STORAGE_CATALOG_BLOB_LISTING_H_
