// Repository names, tags, digests and image references: whatever is accepted keeps its limits and
// survives being written and read again.
#include <cstdint>
#include <string>
#include <string_view>

#include "storage/image/canonical_name.h"
#include "storage/image/digest.h"
#include "storage/image/names.h"
#include "storage/limits.h"
#include "tests/fuzz/invariant.h"

namespace varve {
namespace {

void CheckRepositoryName(std::string_view text) {
  if (!ValidateRepositoryName(text).ok()) return;
  FUZZ_INVARIANT(!text.empty() && text.size() <= kMaxRepositoryNameBytes);
  FUZZ_INVARIANT(text.find("..") == std::string_view::npos);
  FUZZ_INVARIANT(text.find("//") == std::string_view::npos);
  FUZZ_INVARIANT(text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789._-/") ==
                 std::string_view::npos);
  FUZZ_INVARIANT(ParseImageReference(text).ok());
}

void CheckTag(std::string_view text) {
  if (!ValidateTag(text).ok()) return;
  FUZZ_INVARIANT(!text.empty() && text.size() <= kMaxTagBytes);
  FUZZ_INVARIANT(text.find_first_of(std::string_view("/:@% \n\r\0", 8)) == std::string_view::npos);
}

void CheckDigest(std::string_view text) {
  const absl::StatusOr<Digest> digest = Digest::Parse(text);
  if (!digest.ok()) return;
  FUZZ_INVARIANT(digest->ToString() == text);
  std::string key;
  digest->AppendKey(&key);
  std::string_view rest = key;
  Digest read;
  FUZZ_INVARIANT(Digest::ConsumeKey(&rest, &read) && rest.empty());
  FUZZ_INVARIANT(read == *digest && !(read < *digest) && !(*digest < read));
}

void CheckImageReference(std::string_view text) {
  const absl::StatusOr<ImageReference> reference = ParseImageReference(text);
  if (!reference.ok()) return;
  FUZZ_INVARIANT(ValidateRepositoryName(reference->repository).ok());
  FUZZ_INVARIANT(reference->tag.empty() || ValidateTag(reference->tag).ok());
  FUZZ_INVARIANT(!reference->tag.empty() || reference->digest.has_value());
  const std::string written = FormatImageReference(*reference);
  const absl::StatusOr<ImageReference> again = ParseImageReference(written);
  FUZZ_INVARIANT(again.ok());
  FUZZ_INVARIANT(again->repository == reference->repository && again->tag == reference->tag);
  FUZZ_INVARIANT(again->digest == reference->digest);
  // Only the host of a registry is written otherwise in the store.
  const bool has_host = text.find('/') != std::string_view::npos;
  FUZZ_INVARIANT(has_host || written == text || written == std::string(text) + ":latest");
}

void CheckForms(std::string_view text) {
  const absl::StatusOr<std::string> stored = StoredName(text);
  FUZZ_INVARIANT(stored.ok() || !ValidateRepositoryName(text).ok());
  if (!stored.ok()) return;
  FUZZ_INVARIANT(ValidateRepositoryName(*stored).ok());
  const absl::StatusOr<std::string> again = StoredName(ShownName(*stored));
  FUZZ_INVARIANT(again.ok() && *again == *stored);
  const std::string_view canonical = CanonicalName(*stored);
  FUZZ_INVARIANT(ValidateRepositoryName(canonical).ok());
  FUZZ_INVARIANT(CanonicalName(canonical) == canonical);
}

}  // namespace
}  // namespace varve

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  varve::CheckRepositoryName(text);
  varve::CheckTag(text);
  varve::CheckDigest(text);
  varve::CheckImageReference(text);
  varve::CheckForms(text);
  return 0;
}
