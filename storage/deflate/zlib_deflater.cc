#include "storage/deflate/zlib_deflater.h"

#include <array>
#include <cstdint>

#include "storage/base/check.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

constexpr int kRawWindowBits = -15;
constexpr int kMemLevel = 8;
constexpr size_t kOutputBytes = 32 << 10;

// Text that repeats itself with many small changes, so that all levels differ.
std::string Sample() {
  std::string sample;
  uint32_t random = 1;
  for (uint32_t i = 0; i < 100000; ++i) {
    random = random * 1664525 + 1013904223;
    const uint32_t byte = random >> 24;
    sample += static_cast<char>('a' + (byte % 7 < 5 ? i % 13 : byte % 20));
  }
  return sample;
}

// Of what zlib 1.2.13 makes of the sample at levels 1 to 9, one after the other.
constexpr uint32_t kSampleChecksum = 0x1db1f446;

absl::Status TryZlib() {
  const std::string sample = Sample();
  std::string streams;
  for (int level = 1; level <= 9; ++level) ZlibDeflater(level).Put(sample, Z_FINISH, streams);
  if (crc32(0, reinterpret_cast<const Bytef*>(streams.data()), static_cast<uInt>(streams.size())) ==
      kSampleChecksum) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      StrCat("zlib ", zlibVersion(),
             " of this machine does not write what zlib 1.2.13 writes; what was packed through it "
             "can be read where libz is that of Debian"));
}

}  // namespace

absl::Status CheckZlib() {
  static const absl::Status* const status = new absl::Status(TryZlib());
  return *status;
}

ZlibDeflater::ZlibDeflater(int level) {
  CheckInvariant(deflateInit2(&stream_, level, Z_DEFLATED, kRawWindowBits, kMemLevel,
                              Z_DEFAULT_STRATEGY) == Z_OK,
                 "zlib has memory for a stream");
}

ZlibDeflater::~ZlibDeflater() { deflateEnd(&stream_); }

void ZlibDeflater::Reset() {
  CheckInvariant(deflateReset(&stream_) == Z_OK, "a stream of zlib starts again");
}

void ZlibDeflater::SetDictionary(std::string_view plain) {
  CheckInvariant(deflateSetDictionary(&stream_, reinterpret_cast<const Bytef*>(plain.data()),
                                      static_cast<uInt>(plain.size())) == Z_OK,
                 "a stream of zlib takes a dictionary at its start");
}

void ZlibDeflater::Prime(int count, int bits) {
  CheckInvariant(deflatePrime(&stream_, count, bits) == Z_OK, "a stream of zlib takes 16 bits");
}

void ZlibDeflater::Put(std::string_view plain, int flush, std::string& deflate) {
  // zlib reads through a pointer that is not const.
  stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
  stream_.avail_in = static_cast<uInt>(plain.size());
  std::array<Bytef, kOutputBytes> output;
  do {
    stream_.next_out = output.data();
    stream_.avail_out = output.size();
    const int result = ::deflate(&stream_, flush);
    CheckInvariant(result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR,
                   "zlib compresses any bytes");
    deflate.append(reinterpret_cast<const char*>(output.data()), output.size() - stream_.avail_out);
  } while (stream_.avail_out == 0);
}

int ZlibDeflater::pending_bits() {
  int bits = 0;
  CheckInvariant(deflatePending(&stream_, Z_NULL, &bits) == Z_OK, "a stream of zlib is open");
  return bits;
}

}  // namespace varve
