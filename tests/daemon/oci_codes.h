// The error codes of the OCI distribution specification.
#ifndef VARVE_TESTS_DAEMON_OCI_CODES_H_
#define VARVE_TESTS_DAEMON_OCI_CODES_H_

#include <algorithm>
#include <array>
#include <string_view>

namespace varve {

inline bool IsSpecifiedCode(std::string_view code) {
  constexpr std::array<std::string_view, 14> kCodes = {
      "BLOB_UNKNOWN",     "BLOB_UPLOAD_INVALID", "BLOB_UPLOAD_UNKNOWN",   "DIGEST_INVALID",
      "MANIFEST_INVALID", "MANIFEST_UNKNOWN",    "MANIFEST_BLOB_UNKNOWN", "NAME_INVALID",
      "NAME_UNKNOWN",     "SIZE_INVALID",        "UNAUTHORIZED",          "DENIED",
      "UNSUPPORTED",      "TOOMANYREQUESTS"};
  return std::find(kCodes.begin(), kCodes.end(), code) != kCodes.end();
}

}  // namespace varve

#endif  // VARVE_TESTS_DAEMON_OCI_CODES_H_
