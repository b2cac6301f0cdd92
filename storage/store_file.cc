#include "storage/store_file.h"

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <optional>
#include <vector>

#include "absl/strings/str_format.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

constexpr size_t kMaxStoreFileBytes = 4096;
constexpr std::string_view kMagic = "varve-store";
constexpr std::string_view kChecksum = "checksum";

absl::Status Damaged() {
  return absl::DataLossError(
      "the STORE file is damaged; restore it from a backup of the data directory");
}

// "name value", or all of it as the name when there is no space.
struct Line {
  std::string_view whole;
  std::string_view name;
  std::string_view value;
};

// Takes a line off the front of `*text`; nullopt when no whole one is left.
std::optional<Line> ConsumeLine(std::string_view* text) {
  const size_t end = text->find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  Line line;
  line.whole = text->substr(0, end);
  text->remove_prefix(end + 1);
  const size_t space = std::min(line.whole.find(' '), line.whole.size());
  line.name = line.whole.substr(0, space);
  if (space < line.whole.size()) line.value = line.whole.substr(space + 1);
  return line;
}

template <typename Number>
bool ParseNumber(std::string_view value, int base, Number* number) {
  const auto [end, error] =
      std::from_chars(value.data(), value.data() + value.size(), *number, base);
  return error == std::errc() && end == value.data() + value.size();
}

// The lines between the first and the checksum. False when one that is known cannot be read, is
// missing or is there twice.
class Fields {
 public:
  explicit Fields(StoreFile* store) : store_(*store) {}

  bool Take(const Line& line) {
    for (size_t i = 0; i < kNames.size(); ++i) {
      if (line.name != kNames[i]) continue;
      if (seen_[i]) return false;
      seen_[i] = true;
      return Set(i, line.value);
    }
    store_.other_lines.emplace_back(line.whole);
    return true;
  }
  bool complete() const {
    return std::all_of(seen_.begin(), seen_.end(), [](bool seen) { return seen; });
  }

 private:
  static constexpr std::array<std::string_view, 5> kNames = {"uuid", "created", "compat",
                                                             "ro_compat", "incompat"};

  bool Set(size_t field, std::string_view value) {
    switch (field) {
      case 0:
        store_.uuid = std::string(value);
        return !value.empty();
      case 1:
        return ParseNumber(value, 10, &store_.created_nanos);
      case 2:
        return ParseNumber(value, 16, &store_.compat);
      case 3:
        return ParseNumber(value, 16, &store_.ro_compat);
      default:
        return ParseNumber(value, 16, &store_.incompat);
    }
  }

  StoreFile& store_;
  std::array<bool, kNames.size()> seen_ = {};
};

}  // namespace

std::string EncodeStoreFile(const StoreFile& store) {
  std::string text =
      absl::StrFormat("%s %u\nuuid %s\ncreated %d\ncompat %x\nro_compat %x\nincompat %x\n",
                      ToAbsl(kMagic), store.format_version, store.uuid, store.created_nanos,
                      store.compat, store.ro_compat, store.incompat);
  for (const std::string& line : store.other_lines) text += StrCat(line, "\n");
  text += absl::StrFormat("%s %016x\n", ToAbsl(kChecksum), XXH3_64bits(text.data(), text.size()));
  return text;
}

absl::StatusOr<StoreFile> DecodeStoreFile(std::string_view text) {
  std::string_view rest = text;
  StoreFile store;
  std::optional<Line> line = ConsumeLine(&rest);
  if (!line.has_value() || line->name != kMagic ||
      !ParseNumber(line->value, 10, &store.format_version)) {
    return Damaged();
  }
  if (store.format_version > kStoreFormatVersion) {
    return absl::FailedPreconditionError(
        StrCat("the store was written by a newer Varve (format ", store.format_version,
               ", this one knows ", kStoreFormatVersion, "); install the newer version"));
  }
  Fields fields(&store);
  size_t covered = text.size() - rest.size();
  while ((line = ConsumeLine(&rest)).has_value() && line->name != kChecksum) {
    if (!fields.Take(*line)) return Damaged();
    covered = text.size() - rest.size();
  }
  uint64_t checksum = 0;
  if (!line.has_value() || !fields.complete() || !rest.empty() ||
      !ParseNumber(line->value, 16, &checksum) || checksum != XXH3_64bits(text.data(), covered)) {
    return Damaged();
  }
  if (store.incompat != 0 || store.ro_compat != 0) {
    return absl::FailedPreconditionError(
        absl::StrFormat("the store uses features of a newer Varve (incompat %x, ro_compat %x); "
                        "install the newer version",
                        store.incompat, store.ro_compat));
  }
  return store;
}

absl::StatusOr<StoreFile> ReadStoreFile(FileSystem& file_system, const std::string& directory) {
  ASSIGN_OR_RETURN(const std::unique_ptr<ReadableFile> file,
                   file_system.OpenForRead(StrCat(directory, "/STORE")));
  std::vector<char> buffer(kMaxStoreFileBytes);
  ASSIGN_OR_RETURN(const size_t size, file->ReadAt(0, absl::MakeSpan(buffer)));
  return DecodeStoreFile({buffer.data(), size});
}

absl::Status WriteStoreFile(FileSystem& file_system, const std::string& directory,
                            const StoreFile& store) {
  const std::string path = StrCat(directory, "/STORE");
  const std::string fresh = StrCat(path, ".new");
  const absl::Status cleared = file_system.Remove(fresh);
  if (!cleared.ok() && !absl::IsNotFound(cleared)) return cleared;
  ASSIGN_OR_RETURN(const std::unique_ptr<WritableFile> file, file_system.Create(fresh));
  RETURN_IF_ERROR(file->WriteAt(0, EncodeStoreFile(store)));
  RETURN_IF_ERROR(file->Sync());
  RETURN_IF_ERROR(file_system.Rename(fresh, path));
  return file_system.SyncDirectory(directory);
}

}  // namespace varve
