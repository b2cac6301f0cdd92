// Puts an archive together from its body and its contents, exactly as it was split. Memory: 9 KiB,
// whatever the archive is. One thread.
#ifndef VARVE_STORAGE_TAR_TAR_JOINER_H_
#define VARVE_STORAGE_TAR_TAR_JOINER_H_

#include <array>
#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/tar/tar_body.h"
#include "storage/tar/tar_header.h"

namespace varve {

struct TarParts {
  TarStream operations;
  TarStream times;
  TarStream skeleton;
  TarStream contents;  // of all files, one after the other
};

class TarJoiner {
 public:
  // An archive over `max_bytes` is DataLoss.
  TarJoiner(TarParts parts, uint64_t max_bytes);

  // Fills the front of `out`, which is not empty, with the next bytes of the archive; returns how
  // many, 0 only at the end. DataLoss when the parts do not belong together: one that ends early or
  // has bytes left at the end. Other errors are those of TarBodyReader and of the streams. After an
  // error it must not be called again.
  absl::StatusOr<size_t> Read(absl::Span<char> out);

 private:
  absl::StatusOr<bool> NextOperation();  // false after the last one
  absl::StatusOr<size_t> ReadHeader(absl::Span<char> out);
  absl::Status FillHeader();

  TarBodyReader body_;
  const TarStream skeleton_;
  const TarStream contents_;
  TarOperation operation_;  // what is left of it
  std::array<char, kTarBlockBytes> header_ = {};
  std::string_view rest_of_header_;
};

}  // namespace varve

#endif  // VARVE_STORAGE_TAR_TAR_JOINER_H_
