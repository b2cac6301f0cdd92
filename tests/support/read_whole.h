// An open blob, read whole.
#ifndef VARVE_TESTS_SUPPORT_READ_WHOLE_H_
#define VARVE_TESTS_SUPPORT_READ_WHOLE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/api/blobs.h"
#include "storage/base/status.h"

namespace varve {

// DataLoss when it is shorter than it says.
inline absl::StatusOr<std::string> ReadWhole(const BlobReader& reader) {
  std::string bytes(reader.info.size_bytes, '\0');
  ASSIGN_OR_RETURN(const size_t read,
                   reader.bytes->ReadAt(0, absl::MakeSpan(bytes.data(), bytes.size())));
  if (read != bytes.size()) return absl::DataLossError("there are fewer bytes than the blob has");
  return bytes;
}

}  // namespace varve

#endif  // VARVE_TESTS_SUPPORT_READ_WHOLE_H_
