#include "storage/index/synced_logs.h"

#include <xxhash.h>

#include <algorithm>

#include "absl/strings/str_format.h"
#include "storage/base/bytes.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

constexpr uint8_t kVersion = 1;
// With its checksum the file stays within one sector of 512 bytes.
constexpr size_t kMaxLogs = 16;

constexpr uint64_t kBlockBytes = 32 * 1024;
constexpr uint64_t kHeaderBytes = 7;  // u32 checksum, u16 length (little-endian), u8 type
constexpr char kFullRecord = 1;
constexpr char kLastFragment = 4;

}  // namespace

std::string EncodeSyncedLogs(const LogOffsets& synced) {
  const size_t count = std::min(synced.size(), kMaxLogs);
  std::string out;
  AppendU8(&out, kVersion);
  AppendU8(&out, static_cast<uint8_t>(count));
  auto log = synced.end();
  std::advance(log, -static_cast<std::ptrdiff_t>(count));
  for (; log != synced.end(); ++log) {
    AppendU64(&out, log->first);
    AppendU64(&out, log->second);
  }
  AppendU64(&out, XXH3_64bits(out.data(), out.size()));
  return out;
}

std::optional<LogOffsets> DecodeSyncedLogs(std::string_view bytes) {
  ByteReader reader(bytes);
  if (reader.U8() != kVersion) return std::nullopt;
  const size_t count = reader.U8();
  LogOffsets synced;
  for (size_t i = 0; i < count; ++i) {
    const uint64_t log = reader.U64();
    synced[log] = reader.U64();
  }
  const size_t covered = 2 + 16 * count;
  const uint64_t checksum = reader.U64();
  if (!reader.ok() || checksum != XXH3_64bits(bytes.data(), covered)) return std::nullopt;
  return synced;
}

uint64_t EndOfLogRecord(uint64_t offset, uint64_t record_bytes) {
  uint64_t left = record_bytes;
  do {
    uint64_t room = kBlockBytes - offset % kBlockBytes;
    if (room < kHeaderBytes) {
      offset += room;
      room = kBlockBytes;
    }
    const uint64_t fragment = std::min(left, room - kHeaderBytes);
    offset += kHeaderBytes + fragment;
    left -= fragment;
  } while (left > 0);
  return offset;
}

void LogFollower::Append(std::string_view bytes) {
  while (!bytes.empty()) {
    const uint64_t room = kBlockBytes - offset_ % kBlockBytes;
    uint64_t taken = 0;
    if (fragment_left_ > 0) {
      taken = std::min<uint64_t>(fragment_left_, bytes.size());
      fragment_left_ -= taken;
      offset_ += taken;
      if (fragment_left_ == 0) EndFragment();
    } else if (header_.empty() && room < kHeaderBytes) {
      taken = std::min<uint64_t>(room, bytes.size());
      offset_ += taken;
    } else {
      taken = std::min<uint64_t>(kHeaderBytes - header_.size(), bytes.size());
      header_.append(bytes.substr(0, taken));
      offset_ += taken;
      if (header_.size() == kHeaderBytes) {
        fragment_left_ = static_cast<uint8_t>(header_[4]) + 256u * static_cast<uint8_t>(header_[5]);
        type_ = header_[6];
        header_.clear();
        if (fragment_left_ == 0) EndFragment();
      }
    }
    bytes.remove_prefix(taken);
  }
}

void LogFollower::EndFragment() {
  if (type_ == kFullRecord || type_ == kLastFragment) record_end_ = offset_;
}

std::vector<LogDamage> FindLogDamage(const LogOffsets& synced, const LogOffsets& replayed,
                                     const std::set<uint64_t>& done_with) {
  std::vector<LogDamage> damage;
  for (const auto& [log, synced_bytes] : synced) {
    if (done_with.contains(log)) continue;
    const auto found = replayed.find(log);
    const uint64_t end = found == replayed.end() ? 0 : found->second;
    if (end < synced_bytes) damage.push_back({log, end, synced_bytes});
  }
  return damage;
}

std::string LogDamageId(const std::vector<LogDamage>& damage) {
  std::string what;
  for (const LogDamage& log : damage) {
    AppendU64(&what, log.log);
    AppendU64(&what, log.replayed_bytes);
    AppendU64(&what, log.synced_bytes);
  }
  return absl::StrFormat("%016x", XXH3_64bits(what.data(), what.size()));
}

std::string DescribeLogDamage(const std::vector<LogDamage>& damage) {
  std::string text;
  for (const LogDamage& log : damage) {
    if (!text.empty()) text += ", ";
    text += absl::StrFormat(
        "index/%06d.log is damaged or missing at byte %d of the %d that were synced", log.log,
        log.replayed_bytes, log.synced_bytes);
  }
  return text;
}

}  // namespace varve
