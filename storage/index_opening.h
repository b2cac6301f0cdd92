// How a store opens its index when the disk is full or the index is damaged. One call, by the
// engine, under the store's lock.
#ifndef VARVE_STORAGE_INDEX_OPENING_H_
#define VARVE_STORAGE_INDEX_OPENING_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/base/file_system.h"
#include "storage/engine.h"
#include "storage/index/index.h"

namespace varve {

// Opens the index of the store in `directory`. When its log has lost acknowledged changes: DataLoss
// that says where, how many files nothing names any more, and the id that accepts it; nothing has
// changed then. When options.accept_loss is that id, it marks the store first (HasLostRows), so
// that whatever happens next, files without a name are kept, and then opens.
absl::StatusOr<std::unique_ptr<Index>> OpenIndexOf(const std::string& directory,
                                                   const EngineOptions& options);

// `damage`, the error of an opening; where a table of the index cannot be read, with what helps.
absl::Status AdviseBackup(const absl::Status& damage, const std::string& directory);

// `full`, the error of an opening that found no room, with how many bytes have to be free on which
// file system, as far as the logs of the index tell.
absl::Status AdviseRoom(const absl::Status& full, FileSystem& file_system,
                        const std::string& directory);

// Whether a loss was accepted, and files without a name may be what acknowledged rows named.
bool HasLostRows(FileSystem& file_system, const std::string& directory);
// Once they are kept.
absl::Status ForgetLostRows(FileSystem& file_system, const std::string& directory);

}  // namespace varve

#endif  // VARVE_STORAGE_INDEX_OPENING_H_
