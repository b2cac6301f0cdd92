// One raw deflate stream of zlib, window of 32 KiB, memLevel 8, default strategy: what zlib's own
// defaults and pigz use. 268 KiB of memory. Not thread-safe.
#ifndef VARVE_STORAGE_DEFLATE_ZLIB_DEFLATER_H_
#define VARVE_STORAGE_DEFLATE_ZLIB_DEFLATER_H_

#include <zlib.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace varve {

// Plain bytes are given to zlib in pieces whose ends are multiples of this, counted from the start
// of the stream or of what follows a dictionary: its window moves at the same places then, whatever
// the sizes of writes.
inline constexpr size_t kZlibPieceBytes = 32 << 10;

// FailedPrecondition when the zlib of this machine is not one whose streams these models stand for,
// as a library in its place may be. Found out once, in some 30 ms; thread-safe.
absl::Status CheckZlib();

class ZlibDeflater {
 public:
  // `level` is 1 to 9.
  explicit ZlibDeflater(int level);
  ~ZlibDeflater();
  ZlibDeflater(const ZlibDeflater&) = delete;
  ZlibDeflater& operator=(const ZlibDeflater&) = delete;

  // A new stream of the same level.
  void Reset();
  // Right after the start: what precedes the stream, at most 32 KiB.
  void SetDictionary(std::string_view plain);
  // Puts the lowest `count` bits of `bits`, at most 16.
  void Prime(int count, int bits);
  // `flush` is one of zlib's; appends what comes out.
  void Put(std::string_view plain, int flush, std::string& deflate);
  // How many bits of a byte not yet full were not appended.
  int pending_bits();

 private:
  z_stream stream_{};
};

}  // namespace varve

#endif  // VARVE_STORAGE_DEFLATE_ZLIB_DEFLATER_H_
