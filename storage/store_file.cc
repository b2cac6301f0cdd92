#include "storage/store_file.h"

#include <xxhash.h>

#include <charconv>
#include <memory>
#include <vector>

#include "absl/strings/str_format.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

constexpr size_t kMaxStoreFileBytes = 4096;
constexpr std::string_view kMagic = "varve-store";

absl::Status Damaged() {
  return absl::DataLossError(
      "the STORE file is damaged; restore it from a backup of the data directory");
}

// Takes "name value\n" off the front of `*text`; false when the line is another one.
bool ConsumeLine(std::string_view* text, std::string_view name, std::string_view* value) {
  const size_t end = text->find('\n');
  if (end == std::string_view::npos) return false;
  const std::string_view line = text->substr(0, end);
  if (line.size() <= name.size() || line.substr(0, name.size()) != name ||
      line[name.size()] != ' ') {
    return false;
  }
  *value = line.substr(name.size() + 1);
  text->remove_prefix(end + 1);
  return true;
}

template <typename Number>
bool ConsumeNumber(std::string_view* text, std::string_view name, int base, Number* number) {
  std::string_view value;
  if (!ConsumeLine(text, name, &value)) return false;
  const auto [end, error] =
      std::from_chars(value.data(), value.data() + value.size(), *number, base);
  return error == std::errc() && end == value.data() + value.size();
}

}  // namespace

std::string EncodeStoreFile(const StoreFile& store) {
  std::string text =
      absl::StrFormat("%s %u\nuuid %s\ncreated %d\ncompat %x\nro_compat %x\nincompat %x\n",
                      ToAbsl(kMagic), store.format_version, store.uuid, store.created_nanos,
                      store.compat, store.ro_compat, store.incompat);
  text += absl::StrFormat("checksum %016x\n", XXH3_64bits(text.data(), text.size()));
  return text;
}

absl::StatusOr<StoreFile> DecodeStoreFile(std::string_view text) {
  std::string_view rest = text;
  StoreFile store;
  if (!ConsumeNumber(&rest, kMagic, 10, &store.format_version)) return Damaged();
  if (store.format_version > kStoreFormatVersion) {
    return absl::FailedPreconditionError(
        StrCat("the store was written by a newer Varve (format ", store.format_version,
               ", this one knows ", kStoreFormatVersion, "); install the newer version"));
  }
  std::string_view uuid;
  if (!ConsumeLine(&rest, "uuid", &uuid)) return Damaged();
  store.uuid = std::string(uuid);
  const bool fields_ok = ConsumeNumber(&rest, "created", 10, &store.created_nanos) &&
                         ConsumeNumber(&rest, "compat", 16, &store.compat) &&
                         ConsumeNumber(&rest, "ro_compat", 16, &store.ro_compat) &&
                         ConsumeNumber(&rest, "incompat", 16, &store.incompat);
  const size_t covered = text.size() - rest.size();
  uint64_t checksum = 0;
  if (!fields_ok || !ConsumeNumber(&rest, "checksum", 16, &checksum) || !rest.empty() ||
      checksum != XXH3_64bits(text.data(), covered)) {
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
