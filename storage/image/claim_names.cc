#include "storage/image/claim_names.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "storage/base/str_cat.h"
#include "storage/limits.h"

namespace varve {

absl::Status ValidateClaimName(std::string_view kind, std::string_view name) {
  const auto allowed = [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
           std::string_view("._-/:").find(c) != std::string_view::npos;
  };
  if (!name.empty() && name.size() <= kMaxClaimNameBytes &&
      std::all_of(name.begin(), name.end(), allowed)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(StrCat(kind, " must be 1 to ", kMaxClaimNameBytes,
                                           " letters, digits, '.', '_', '-', '/' or ':'"));
}

}  // namespace varve
