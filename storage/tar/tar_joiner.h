// Puts an archive together from its body and its contents, exactly as it was split, from the
// beginning or from any place. Memory: 9 KiB, whatever the archive is. One thread.
#ifndef VARVE_STORAGE_TAR_TAR_JOINER_H_
#define VARVE_STORAGE_TAR_TAR_JOINER_H_

#include <array>
#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/base/readable_bytes.h"
#include "storage/tar/tar_body.h"
#include "storage/tar/tar_header.h"

namespace varve {

class TarJoiner {
 public:
  struct Parts {
    TarStream operations;
    TarStream times;
    const ReadableBytes& skeleton;
    const ReadableBytes& contents;  // of all files, one after the other
  };

  // The parts must outlive it. An archive over `max_bytes` is DataLoss.
  TarJoiner(Parts parts, uint64_t max_bytes);

  // Errors of all calls: DataLoss when the parts do not belong together, one that ends early or has
  // bytes left at the end; those of TarBodyReader and of the parts. After an error nothing may be
  // called.

  // Fills the front of `out`, which is not empty, with the next bytes of the archive; returns how
  // many, 0 only at the end.
  absl::StatusOr<size_t> Read(absl::Span<char> out);

  // Passes over bytes without reading skeleton or contents: by operations and times alone, some
  // 6 bytes a member. OutOfRange when the archive ends before.
  absl::Status Skip(uint64_t size_bytes);

 private:
  // A part of which so much was read.
  struct Place {
    const ReadableBytes& bytes;
    std::string_view name;
    uint64_t offset = 0;

    // At least one byte.
    absl::StatusOr<size_t> Read(absl::Span<char> out);
    absl::Status ExpectEnd();
  };

  // Makes `operation_` one with something left; false after the last one.
  absl::StatusOr<bool> NextOperation();
  absl::Status SkipHeaders(uint64_t* size_bytes);
  // Takes the next header of the operation.
  absl::Status FillHeader();
  size_t TakeHeader(absl::Span<char> out);

  TarBodyReader body_;
  Place skeleton_;
  Place contents_;
  TarOperation operation_;  // what is left of it
  std::array<char, kTarBlockBytes> header_ = {};
  std::string_view rest_of_header_;
};

}  // namespace varve

#endif  // VARVE_STORAGE_TAR_TAR_JOINER_H_
