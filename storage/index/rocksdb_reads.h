// Batch reads over RocksDB, of a database or of a transaction.
#ifndef VARVE_STORAGE_INDEX_ROCKSDB_READS_H_
#define VARVE_STORAGE_INDEX_ROCKSDB_READS_H_

#include <rocksdb/db.h>

#include <string>
#include <vector>

#include "storage/base/status.h"
#include "storage/index/index.h"
#include "storage/index/rocksdb_database.h"
#include "storage/index/transaction_limits.h"

namespace varve {

// Reads `keys` through `source`, a database or a transaction: one batch a column family, whose
// block reads and filter look-ups RocksDB shares. The first error is what `read_error` makes of it.
template <typename Source, typename ReadError>
absl::StatusOr<OptionalValues> ReadMany(Source& source, const RocksdbDatabase& database,
                                        absl::Span<const std::string> keys,
                                        const ReadError& read_error) {
  OptionalValues found(keys.size());
  std::vector<bool> done(keys.size(), false);
  for (size_t first = 0; first < keys.size(); ++first) {
    if (done[first]) continue;
    rocksdb::ColumnFamilyHandle* const family = database.FamilyOf(keys[first]);
    std::vector<size_t> places;
    std::vector<rocksdb::Slice> batch;
    for (size_t i = first; i < keys.size(); ++i) {
      if (database.FamilyOf(keys[i]) != family) continue;
      done[i] = true;
      places.push_back(i);
      batch.emplace_back(keys[i]);
    }
    std::vector<rocksdb::PinnableSlice> values(batch.size());
    std::vector<rocksdb::Status> statuses(batch.size());
    source.MultiGet({}, family, batch.size(), batch.data(), values.data(), statuses.data());
    for (size_t i = 0; i < places.size(); ++i) {
      if (statuses[i].IsNotFound()) continue;
      if (!statuses[i].ok()) return read_error(statuses[i]);
      found[places[i]].emplace(values[i].ToStringView());
    }
  }
  return found;
}

}  // namespace varve

#endif  // VARVE_STORAGE_INDEX_ROCKSDB_READS_H_
