// Splits a stream of bytes that may be a tar archive into its skeleton (headers, padding, names,
// whatever is not content) and the contents of its files, and tells them to a sink in the order of
// the stream. Lossless whatever the bytes are: what the sink is told, put together again in order,
// is the stream. Where an archive lies or breaks off, only the place of the cuts suffers.
//
// Dialects: v7, ustar, pax with its sizes, GNU long names, GNU sparse in all four forms (the stored
// bytes are content, the map is skeleton), base-256 sizes, concatenated archives.
//  * No tar: when the first block that is not zero has no valid checksum, all from there on is
//    content of unknown size, and nothing of it is looked at.
//  * Where an archive should have a header and has none (garbage after it, a wrong checksum, a size
//    that lied), content of unknown size goes on to the next block that is one.
//  * Files under kMinTarContentBytes are told as skeleton: a chunk costs more than they save.
//
// Memory: less than 1 KiB, whatever the archive says. One thread.
#ifndef VARVE_STORAGE_TAR_TAR_SPLITTER_H_
#define VARVE_STORAGE_TAR_TAR_SPLITTER_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "storage/limits.h"
#include "storage/tar/pax_records.h"
#include "storage/tar/sparse_map.h"
#include "storage/tar/tar_header.h"

namespace varve {

// An error ends the splitting and is returned by the call that led to it. Bytes are valid during
// the call only.
class TarSink {
 public:
  virtual ~TarSink() = default;

  // The skeleton: bytes as they are; so many zero bytes; and a header without its time, which
  // RestoreTarTime puts back.
  virtual absl::Status Skeleton(std::string_view bytes) = 0;
  virtual absl::Status Zeros(uint64_t size_bytes) = 0;
  virtual absl::Status Header(std::string_view block, uint64_t seconds) = 0;

  // One content, in pieces of any size. `size_bytes` is what the archive says: fewer bytes come
  // when it breaks off, never more. Without it, nobody knows.
  virtual absl::Status BeginContent(std::optional<uint64_t> size_bytes) = 0;
  virtual absl::Status Content(std::string_view bytes) = 0;
  virtual absl::Status EndContent() = 0;
};

class TarSplitter {
 public:
  // `sink` must outlive it.
  explicit TarSplitter(TarSink& sink) : sink_(sink) {}

  // The next bytes of the stream, in pieces of any size. After an error no more may be fed.
  absl::Status Feed(std::string_view bytes);
  // The stream has ended; once, after the last bytes.
  absl::Status Finish();

  // Whether a header was found. Known after the first block that is not zero.
  bool is_tar() const { return is_tar_; }

 private:
  enum class State {
    kHeader,     // a block: a header, zeros, or neither
    kSparseMap,  // a block of an old GNU map
    kDataMap,    // a block of a map at the beginning of the data
    kData,       // `data_bytes_` of a member
    kPadding,    // `padding_bytes_` after them
    kForeign,    // blocks that are no header, told as content, until one is
    kPlain       // no tar
  };
  enum class Data { kContent, kSkeleton, kRecords };

  // Takes from the front of `bytes` what the state has use for.
  absl::Status Step(std::string_view* bytes);
  // `size` bytes from the front of `bytes`, with those that were kept; empty when there are too
  // few, which are kept.
  std::string_view Collect(size_t size, std::string_view* bytes);

  absl::Status TakeBlock(std::string_view block);
  absl::Status TakeHeaderBlock(std::string_view block);
  absl::Status TakeHeader(const TarHeader& header, std::string_view block);
  absl::Status TakeDataMap(std::string_view block);
  absl::Status TakeForeign(std::string_view* bytes);
  absl::Status TakeData(std::string_view* bytes);
  absl::Status TellSkeleton(std::string_view bytes);
  absl::Status BeginData();
  absl::Status EndData();
  absl::Status BeginContentOfUnknownSize(State state);

  TarSink& sink_;
  State state_ = State::kHeader;
  bool is_tar_ = false;

  Data data_ = Data::kContent;
  uint64_t data_bytes_ = 0;  // still to come
  size_t padding_bytes_ = 0;
  PaxRecords records_;  // of the pax header before the next member
  SparseMap sparse_map_;

  std::array<char, kTarBlockBytes> kept_ = {};
  size_t kept_bytes_ = 0;
};
static_assert(sizeof(TarSplitter) < kKiB);

}  // namespace varve

#endif  // VARVE_STORAGE_TAR_TAR_SPLITTER_H_
