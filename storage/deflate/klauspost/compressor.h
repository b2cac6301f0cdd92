// What makes blocks of plain bytes. A section is what is compressed with nothing before it but a
// dictionary: the whole stream, or one of pgzip's blocks.
#ifndef VARVE_STORAGE_DEFLATE_KLAUSPOST_COMPRESSOR_H_
#define VARVE_STORAGE_DEFLATE_KLAUSPOST_COMPRESSOR_H_

#include <cstdint>
#include <memory>
#include <string_view>

#include "storage/base/bytes.h"
#include "storage/deflate/encoder.h"
#include "storage/deflate/klauspost/block_writer.h"
#include "storage/deflate/klauspost/checkpoint_log.h"

namespace varve::klauspost {

class Compressor {
 public:
  virtual ~Compressor() = default;

  // Starts another section; a first one without a dictionary has been started.
  virtual void Begin(std::string_view dictionary) = 0;
  virtual void Write(std::string_view plain) = 0;
  // Writes the blocks that are left. `is_stream`: the section is the whole stream.
  virtual void End(bool is_stream) = 0;

  // Notes checkpoints from now on, in a section that is the whole stream. The state is that of the
  // block writer, then this one's.
  virtual void NoteCheckpoints(CheckpointLog& log) = 0;
  // Goes on at such a checkpoint, the block writer's state being read. False when none wrote it.
  virtual bool Resume(const EncoderCheckpoint& checkpoint, ByteReader& state,
                      std::string_view warm_up) = 0;
};

// `level`: 1 to 9. Writes to `writer`, which outlives it.
std::unique_ptr<Compressor> NewCompressor(int level, uint64_t flags, BlockWriter& writer);

}  // namespace varve::klauspost

#endif  // VARVE_STORAGE_DEFLATE_KLAUSPOST_COMPRESSOR_H_
