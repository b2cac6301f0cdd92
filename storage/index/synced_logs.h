// How far each log of the index is on stable storage, as the file index/SYNCED says it, and what a
// replay that ended earlier means. Bytes: storage/FORMAT.md. Pure; thread-safe.
//
// The file is written after each sync of a log and never synced itself: it may lag, never lead. So
// a replay that ends before it has lost something that was acknowledged; one that ends after it is
// an ordinary crash.
#ifndef VARVE_STORAGE_INDEX_SYNCED_LOGS_H_
#define VARVE_STORAGE_INDEX_SYNCED_LOGS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace varve {

// By the number of a log: an offset in it, which is the end of a record.
using LogOffsets = std::map<uint64_t, uint64_t>;

// Of more than 16 logs the latest.
std::string EncodeSyncedLogs(const LogOffsets& synced);
// nullopt when it is damaged or of a newer form: then nothing is known.
std::optional<LogOffsets> DecodeSyncedLogs(std::string_view bytes);

// Where a record of `record_bytes` ends that begins at `offset` of a log in RocksDB's format:
// blocks of 32 KiB, fragments with a header of 7 bytes, none begun in the last 6 of a block.
uint64_t EndOfLogRecord(uint64_t offset, uint64_t record_bytes);

// Follows the bytes that are appended to a log. One thread.
class LogFollower {
 public:
  void Append(std::string_view bytes);
  // The end of the last whole record.
  uint64_t record_end() const { return record_end_; }

 private:
  void EndFragment();

  std::string header_;  // of the fragment that is begun, as far as it came
  uint64_t offset_ = 0;
  uint64_t fragment_left_ = 0;
  uint64_t record_end_ = 0;
  char type_ = 0;
};

// One log whose replay ended too early.
struct LogDamage {
  uint64_t log = 0;
  uint64_t replayed_bytes = 0;  // 0 too when the file is gone
  uint64_t synced_bytes = 0;
};

// What `synced` says and `replayed` did not reach, but for the logs that are done with.
std::vector<LogDamage> FindLogDamage(const LogOffsets& synced, const LogOffsets& replayed,
                                     const std::set<uint64_t>& done_with);
// 16 hex digits that stand for this damage and no other.
std::string LogDamageId(const std::vector<LogDamage>& damage);
// "index/000012.log is damaged at byte 4711 of 9000"
std::string DescribeLogDamage(const std::vector<LogDamage>& damage);

}  // namespace varve

#endif  // VARVE_STORAGE_INDEX_SYNCED_LOGS_H_
