// Checks of command line arguments: each gives the error for CLI11, or an empty string.
#ifndef VARVE_CLIENT_CLI_ARGUMENTS_H_
#define VARVE_CLIENT_CLI_ARGUMENTS_H_

#include <string>

#include "client/daemon_address.h"
#include "storage/image/canonical_name.h"
#include "storage/image/claim_names.h"
#include "storage/image/digest.h"
#include "storage/image/names.h"

namespace varve {

inline std::string CheckAddress(const std::string& text) {
  return std::string(ParseDaemonAddress(text).status().message());
}

inline std::string CheckDigest(const std::string& text) {
  return std::string(Digest::Parse(text).status().message());
}

inline std::string CheckRepository(const std::string& text) {
  return std::string(StoredName(text).status().message());
}

inline std::string CheckReference(const std::string& text) {
  return std::string(ParseImageReference(text).status().message());
}

inline std::string CheckLease(const std::string& text) {
  return std::string(ValidateClaimName("the id of a lease", text).message());
}

}  // namespace varve

#endif  // VARVE_CLIENT_CLI_ARGUMENTS_H_
