#include "storage/index/rocksdb_database.h"

#include <rocksdb/listener.h>

#include <algorithm>
#include <utility>

#include "absl/strings/cord.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/index/rocksdb_status.h"
#include "storage/limits.h"

namespace varve {
namespace {

std::string WithoutSlash(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

// RocksDB takes a directory without its CURRENT file for a new one and would start an empty index
// over the remains of the old.
absl::Status CheckNotHeadless(rocksdb::Env* env, const std::string& directory) {
  std::vector<std::string> names;
  const rocksdb::Status listed = env->GetChildren(directory, &names);
  if (listed.IsNotFound() || listed.IsPathNotFound()) return absl::OkStatus();
  RETURN_IF_ERROR(FromRocksdb(listed, "list files"));
  bool data = false;
  for (const std::string& name : names) {
    if (name == "CURRENT") return absl::OkStatus();
    data = data || name.ends_with(".sst") || name.ends_with(".blob") || name.ends_with(".log");
  }
  if (!data) return absl::OkStatus();
  return absl::DataLossError(StrCat(
      "index: ", directory, " has data files but no CURRENT file; restore it from a backup"));
}

absl::Status OpenError(const rocksdb::Status& status) {
  // A file that the manifest names is gone.
  if (status.IsNotFound() || status.IsPathNotFound()) {
    return absl::DataLossError(StrCat("index: a file is missing: ", status.ToString()));
  }
  if (status.IsInvalidArgument() || status.IsNotSupported()) {
    return absl::FailedPreconditionError(
        StrCat("index: written by a newer version, or not an index: ", status.ToString()));
  }
  return FromRocksdb(status, "open");
}

absl::Status LogDamageError(const std::vector<LogDamage>& damage) {
  absl::Status status = absl::DataLossError(
      StrCat("the log of the index has lost acknowledged changes: ", DescribeLogDamage(damage)));
  status.SetPayload(kLogDamagePayload, absl::Cord(LogDamageId(damage)));
  return status;
}

// The directory's own entry: RocksDB syncs what is inside.
absl::Status SyncParent(rocksdb::Env* env, const std::string& directory) {
  const size_t slash = directory.find_last_of('/');
  std::string parent = slash == std::string::npos ? "." : directory.substr(0, slash);
  if (parent.empty()) parent = "/";
  std::unique_ptr<rocksdb::FSDirectory> opened;
  rocksdb::Status status =
      env->GetFileSystem()->NewDirectory(parent, rocksdb::IOOptions(), &opened, nullptr);
  if (status.ok()) status = opened->Fsync(rocksdb::IOOptions(), nullptr);
  return FromRocksdb(status, "sync the parent directory");
}

// TransactionDB::Open without two-phase commit, which nothing here uses, and under which a
// compaction that meets a full disk stops all writes for good.
rocksdb::Status OpenTransactional(rocksdb::DBOptions options, const std::string& path,
                                  std::vector<rocksdb::ColumnFamilyDescriptor> families,
                                  std::vector<rocksdb::ColumnFamilyHandle*>* handles,
                                  rocksdb::TransactionDB** result) {
  std::vector<size_t> compacting_families;
  rocksdb::TransactionDB::PrepareWrap(&options, &families, &compacting_families);
  options.allow_2pc = false;
  rocksdb::DB* db = nullptr;
  const rocksdb::Status opened = rocksdb::DB::Open(options, path, families, handles, &db);
  if (!opened.ok()) return opened;
  return rocksdb::TransactionDB::WrapDB(db, rocksdb::TransactionDBOptions(), compacting_families,
                                        *handles, result);
}

IndexState StateAfter(const rocksdb::Status& error) {
  return error.IsNoSpace() ? IndexState::kFull : IndexState::kFailed;
}

// A full disk that then fails has failed.
void Worsen(std::atomic<IndexState>& state, IndexState to) {
  IndexState before = state;
  while (before < to && !state.compare_exchange_weak(before, to)) {
  }
}

}  // namespace

// Hears of the errors that RocksDB meets by itself. Its own attempt to go on after a full disk is
// declined: DB::Resume waits for ever when a flush was queued before the error (RocksDB 7.8).
class RocksdbDatabase::ErrorListener : public rocksdb::EventListener {
 public:
  explicit ErrorListener(std::atomic<IndexState>& state) : state_(state) {}

  void OnBackgroundError(rocksdb::BackgroundErrorReason /*reason*/,
                         rocksdb::Status* error) override {
    Worsen(state_, StateAfter(*error));
  }
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason /*reason*/, rocksdb::Status /*error*/,
                            bool* auto_recovery) override {
    *auto_recovery = false;
  }

 private:
  std::atomic<IndexState>& state_;
};

RocksdbPlace::RocksdbPlace(const std::string& path, const RocksdbIndexOptions& options)
    : directory(WithoutSlash(path)),
      files(std::make_shared<IndexFiles>(
          options.file_system != nullptr ? options.file_system : rocksdb::FileSystem::Default(),
          directory)),
      env(rocksdb::NewCompositeEnv(files)),
      memory(options.cache_bytes),
      warn(options.warn) {}

absl::StatusOr<std::unique_ptr<RocksdbDatabase>> RocksdbDatabase::Open(
    RocksdbPlace& place, const std::string& accepted_damage) {
  std::unique_ptr<RocksdbDatabase> database(new RocksdbDatabase(place));
  place.state = IndexState::kWorking;
  rocksdb::Env* const env = place.env.get();
  RETURN_IF_ERROR(CheckNotHeadless(env, place.directory));
  const bool fresh = !env->FileExists(place.directory + "/CURRENT").ok();
  // RocksDB would make it too, after an error in its log that it is not there.
  if (fresh) RETURN_IF_ERROR(FromRocksdb(env->CreateDirIfMissing(place.directory), "create"));
  rocksdb::DBOptions options = IndexDatabaseOptions(env, place.memory, place.warn);
  options.listeners.push_back(std::make_shared<ErrorListener>(place.state));
  options.wal_filter = &database->replay_;
  place.files->BeginOpening(&database->replay_, accepted_damage);
  rocksdb::TransactionDB* db = nullptr;
  const rocksdb::Status opened = OpenTransactional(
      options, place.directory, IndexFamilies(place.memory), &database->families_, &db);
  place.files->EndOpening();
  if (!place.files->damage().empty()) return LogDamageError(place.files->damage());
  if (!opened.ok()) return OpenError(opened);
  database->db_.reset(db);
  database->transactions_ = db;
  if (fresh) RETURN_IF_ERROR(SyncParent(env, place.directory));
  return database;
}

absl::StatusOr<std::unique_ptr<RocksdbDatabase>> RocksdbDatabase::OpenForReading(
    RocksdbPlace& place) {
  std::unique_ptr<RocksdbDatabase> database(new RocksdbDatabase(place));
  RETURN_IF_ERROR(CheckNotHeadless(place.env.get(), place.directory));
  rocksdb::DB* db = nullptr;
  const rocksdb::Status opened = rocksdb::DB::OpenForReadOnly(
      IndexDatabaseOptions(place.env.get(), place.memory, place.warn), place.directory,
      IndexFamilies(place.memory), &database->families_, &db);
  if (!opened.ok()) return OpenError(opened);
  database->db_.reset(db);
  return database;
}

RocksdbDatabase::~RocksdbDatabase() {
  if (db_ == nullptr) return;
  // Keeps buffered commits through a power cut after an orderly stop. A failure loses nothing that
  // was promised.
  if (transactions_ != nullptr && state() == IndexState::kWorking) {
    db_->SyncWAL().PermitUncheckedError();
  }
  for (rocksdb::ColumnFamilyHandle* family : families_) {
    db_->DestroyColumnFamilyHandle(family).PermitUncheckedError();
  }
  db_->Close().PermitUncheckedError();
}

absl::StatusOr<std::optional<std::string>> RocksdbDatabase::Get(std::string_view key) const {
  rocksdb::PinnableSlice value;
  const rocksdb::Status status = db_->Get({}, FamilyOf(key), key, &value);
  if (status.IsNotFound()) return std::optional<std::string>();
  RETURN_IF_ERROR(FromRocksdb(status, "read"));
  return std::optional<std::string>(value.ToStringView());
}

rocksdb::Status RocksdbDatabase::GetMany(absl::Span<const std::string> keys,
                                         rocksdb::Transaction* within,
                                         OptionalValues* found) const {
  found->assign(keys.size(), std::nullopt);
  std::vector<bool> done(keys.size(), false);
  for (size_t first = 0; first < keys.size(); ++first) {
    if (done[first]) continue;
    rocksdb::ColumnFamilyHandle* const family = FamilyOf(keys[first]);
    std::vector<size_t> places;
    std::vector<rocksdb::Slice> batch;
    for (size_t i = first; i < keys.size(); ++i) {
      if (FamilyOf(keys[i]) != family) continue;
      done[i] = true;
      places.push_back(i);
      batch.emplace_back(keys[i]);
    }
    std::vector<rocksdb::PinnableSlice> values(batch.size());
    std::vector<rocksdb::Status> statuses(batch.size());
    if (within != nullptr) {
      within->MultiGet({}, family, batch.size(), batch.data(), values.data(), statuses.data());
    } else {
      db_->MultiGet({}, family, batch.size(), batch.data(), values.data(), statuses.data());
    }
    for (size_t i = 0; i < places.size(); ++i) {
      if (statuses[i].IsNotFound()) continue;
      if (!statuses[i].ok()) return statuses[i];
      (*found)[places[i]].emplace(values[i].ToStringView());
    }
  }
  return rocksdb::Status::OK();
}

std::unique_ptr<rocksdb::Iterator> RocksdbDatabase::NewIterator(
    const rocksdb::ReadOptions& options, rocksdb::ColumnFamilyHandle* family,
    rocksdb::Transaction* within) const {
  return std::unique_ptr<rocksdb::Iterator>(within != nullptr ? within->GetIterator(options, family)
                                                              : db_->NewIterator(options, family));
}

absl::StatusOr<std::vector<KeyValue>> RocksdbDatabase::Scan(const KeyRange& range, size_t limit,
                                                            const rocksdb::ReadOptions& options,
                                                            rocksdb::Transaction* within) const {
  // The inline family holds one stretch of the key space, so that going through the three
  // stretches in turn is going through the keys in order.
  struct Stretch {
    rocksdb::ColumnFamilyHandle* family;
    std::string_view begin;
    std::string_view end;  // empty: to the last key
  };
  const Stretch stretches[] = {{families_[0], "", kInlineKeys},
                               {families_[1], kInlineKeys, kAfterInlineKeys},
                               {families_[0], kAfterInlineKeys, ""}};
  std::vector<KeyValue> found;
  for (const Stretch& stretch : stretches) {
    if (found.size() >= limit) break;
    const std::string_view begin = std::max<std::string_view>(range.begin, stretch.begin);
    const std::string_view range_end = range.end;
    std::string_view end = stretch.end;
    if (end.empty() || (!range_end.empty() && range_end < end)) end = range_end;
    if (!end.empty() && end <= begin) continue;

    rocksdb::ReadOptions bounded = options;
    const rocksdb::Slice upper_bound(end);
    if (!end.empty()) bounded.iterate_upper_bound = &upper_bound;
    const auto iterator = NewIterator(bounded, stretch.family, within);
    // The transaction's own writes lie outside the bound's reach, so it is checked here too.
    for (iterator->Seek(begin); iterator->Valid() && found.size() < limit; iterator->Next()) {
      const std::string_view key = iterator->key().ToStringView();
      if (!end.empty() && key >= end) break;
      found.push_back({std::string(key), iterator->value().ToString()});
    }
    RETURN_IF_ERROR(FromRocksdb(iterator->status(), "scan"));
  }
  return found;
}

// One iterator goes from range to range: to make one costs more than to move it. RocksDB looks at
// the bound anew with each seek.
absl::StatusOr<FirstRows> RocksdbDatabase::FirstOfEach(absl::Span<const KeyRange> ranges,
                                                       rocksdb::Transaction* within) const {
  FirstRows rows;
  rows.reserve(ranges.size());
  rocksdb::Slice upper_bound;
  rocksdb::ReadOptions bounded;
  bounded.iterate_upper_bound = &upper_bound;
  std::unique_ptr<rocksdb::Iterator> iterator;  // of the default family
  for (const KeyRange& range : ranges) {
    const bool in_default =
        !range.end.empty() && (range.end <= kInlineKeys || range.begin >= kAfterInlineKeys);
    if (!in_default) {
      ASSIGN_OR_RETURN(std::vector<KeyValue> found, Scan(range, 1, {}, within));
      rows.push_back(found.empty() ? std::nullopt : std::optional(std::move(found[0])));
      continue;
    }
    rows.emplace_back();
    if (range.end <= range.begin) continue;
    upper_bound = range.end;
    if (iterator == nullptr) iterator = NewIterator(bounded, families_[0], within);
    iterator->Seek(range.begin);
    RETURN_IF_ERROR(FromRocksdb(iterator->status(), "scan"));
    // The transaction's own writes lie outside the bound's reach.
    if (!iterator->Valid() || iterator->key().ToStringView() >= range.end) continue;
    rows.back() = KeyValue{iterator->key().ToString(), iterator->value().ToString()};
  }
  return rows;
}

void RocksdbDatabase::NoteFailedWrite(const rocksdb::Status& status) {
  // What a failed sync leaves is unknown, whatever it failed with.
  Worsen(place_.state, place_.files->log_sync_failed() ? IndexState::kFailed : StateAfter(status));
}

bool RocksdbDatabase::HasRoomToReopen() const {
  uint64_t unflushed_bytes = 0;
  uint64_t free_bytes = 0;
  return db_->GetAggregatedIntProperty(rocksdb::DB::Properties::kCurSizeAllMemTables,
                                       &unflushed_bytes) &&
         place_.env->GetFreeSpace(place_.directory, &free_bytes).ok() &&
         free_bytes >= 2 * unflushed_bytes + kIndexReopenBytes;
}

}  // namespace varve
