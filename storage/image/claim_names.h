// The grammar of what clients call their holds and leases. Pure functions over untrusted text.
#ifndef VARVE_STORAGE_IMAGE_CLAIM_NAMES_H_
#define VARVE_STORAGE_IMAGE_CLAIM_NAMES_H_

#include <string_view>

#include "absl/status/status.h"

namespace varve {

// 1 to kMaxClaimNameBytes letters, digits, '.', '_', '-', '/' or ':'; `kind` is for the message,
// such as "the name of a hold".
absl::Status ValidateClaimName(std::string_view kind, std::string_view name);

}  // namespace varve

#endif  // VARVE_STORAGE_IMAGE_CLAIM_NAMES_H_
