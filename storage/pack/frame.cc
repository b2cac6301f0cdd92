#include "storage/pack/frame.h"

#include <xxhash.h>
#include <zstd.h>

#include "storage/base/bytes.h"
#include "storage/base/check.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/pack/chunker.h"

namespace varve {
namespace {

constexpr uint8_t kVersion = 1;
enum Form : uint8_t { kAsIs = 0, kZstd = 1 };

// Compressed chunks that save less than this part are not worth their decoding.
constexpr size_t kMinSavedShare = 32;

static_assert(kMaxChunkBytes <= kMaxFrameBytes);

absl::Status Damaged(std::string_view what) {
  return absl::DataLossError(StrCat("a frame of a pack is damaged: ", what));
}

absl::Status Unknown(std::string_view what, uint8_t value) {
  return absl::FailedPreconditionError(
      StrCat("a frame of a pack has the ", what, " ", static_cast<unsigned>(value),
             ", which this build does not know; use the one that packed it or a later one"));
}

absl::Status NoMemory() {
  return absl::ResourceExhaustedError("there is no memory for zstd; try again later");
}

uint64_t Checksum(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

}  // namespace

void FrameWriter::FreeEncoder::operator()(ZSTD_CCtx_s* encoder) const { ZSTD_freeCCtx(encoder); }
void FrameReader::FreeDecoder::operator()(ZSTD_DCtx_s* decoder) const { ZSTD_freeDCtx(decoder); }

uint32_t FrameWriter::Add(std::string_view chunk) {
  CheckInvariant(!chunk.empty() && Fits(chunk.size()), "a chunk fits the frame it is added to");
  const auto offset = static_cast<uint32_t>(chunks_.size());
  chunks_ += chunk;
  return offset;
}

absl::StatusOr<std::string> FrameWriter::Compress() {
  if (encoder_ == nullptr) encoder_.reset(ZSTD_createCCtx());
  if (encoder_ == nullptr) return NoMemory();
  std::string stored(ZSTD_compressBound(chunks_.size()), '\0');
  const size_t size = ZSTD_compressCCtx(encoder_.get(), stored.data(), stored.size(),
                                        chunks_.data(), chunks_.size(), level_);
  if (ZSTD_isError(size) != 0) return NoMemory();  // nothing else can fail with so much room
  const bool worth_it = size <= chunks_.size() - chunks_.size() / kMinSavedShare;
  stored.resize(worth_it && size < chunks_.size() ? size : 0);
  return stored;
}

absl::StatusOr<std::string> FrameWriter::Finish() {
  CheckInvariant(!chunks_.empty(), "a frame has a chunk");
  ASSIGN_OR_RETURN(const std::string compressed, Compress());
  const std::string_view stored(compressed.empty() ? chunks_ : compressed);
  std::string frame;
  frame.reserve(stored.size() + kFrameOverheadBytes);
  AppendU8(&frame, kVersion);
  AppendU8(&frame, compressed.empty() ? kAsIs : kZstd);
  AppendU32(&frame, static_cast<uint32_t>(chunks_.size()));
  AppendU32(&frame, static_cast<uint32_t>(stored.size()));
  frame += stored;
  AppendU64(&frame, Checksum(frame));
  chunks_.clear();
  return frame;
}

absl::StatusOr<std::string_view> FrameReader::Read(std::string_view frame) {
  if (frame.size() < kFrameOverheadBytes) return Damaged("it is cut off");
  const std::string_view checked = frame.substr(0, frame.size() - sizeof(uint64_t));
  if (ByteReader(frame.substr(checked.size())).U64() != Checksum(checked)) {
    return Damaged("its checksum is wrong");
  }
  ByteReader reader(checked);
  const uint8_t version = reader.U8();
  if (version != kVersion) return Unknown("version", version);
  const uint8_t form = reader.U8();
  const uint32_t chunks_bytes = reader.U32();
  const uint32_t stored_bytes = reader.U32();
  const std::string_view stored = reader.rest();
  if (stored.size() != stored_bytes) return Damaged("it has another size");
  if (chunks_bytes == 0 || chunks_bytes > kMaxFrameBytes) {
    return Damaged("its chunks have a size that no frame has");
  }
  if (form == kAsIs) {
    if (stored_bytes != chunks_bytes) return Damaged("its chunks have another size");
    return stored;
  }
  if (form != kZstd) return Unknown("form", form);
  chunks_.resize(chunks_bytes);
  RETURN_IF_ERROR(Decompress(stored));
  return chunks_;
}

absl::Status FrameReader::Decompress(std::string_view stored) {
  if (decoder_ == nullptr) decoder_.reset(ZSTD_createDCtx());
  if (decoder_ == nullptr) return NoMemory();
  if (ZSTD_getFrameContentSize(stored.data(), stored.size()) != chunks_.size() ||
      ZSTD_findFrameCompressedSize(stored.data(), stored.size()) != stored.size()) {
    return Damaged("it is not one zstd frame of its chunks");
  }
  const size_t size = ZSTD_decompressDCtx(decoder_.get(), chunks_.data(), chunks_.size(),
                                          stored.data(), stored.size());
  if (size != chunks_.size()) return Damaged("zstd cannot decode it");
  return absl::OkStatus();
}

}  // namespace varve
