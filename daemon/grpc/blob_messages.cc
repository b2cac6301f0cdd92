#include "daemon/grpc/blob_messages.h"

#include "varve/v1/blobs.pb.h"

namespace varve {
namespace {

constexpr uint8_t kLengthDelimited = 2;  // a wire type of protobuf

constexpr char Tag(int field) { return static_cast<char>(field << 3 | kLengthDelimited); }

constexpr char kWriteDataTag = Tag(v1::WriteRequest::kDataFieldNumber);
constexpr char kReadDataTag = Tag(v1::ReadResponse::kDataFieldNumber);

// Gives the bytes of a message in pieces one at a time.
class ByteWalk {
 public:
  explicit ByteWalk(absl::Span<const std::string_view> pieces) : pieces_(pieces) {}

  bool Next(char* byte) {
    SkipEmpty();
    if (piece_ == pieces_.size()) return false;
    *byte = pieces_[piece_][at_++];
    return true;
  }

  // What was not given yet, as views; returns how many bytes that is.
  size_t Rest(std::vector<std::string_view>* rest) {
    SkipEmpty();
    rest->clear();
    size_t bytes = 0;
    for (; piece_ < pieces_.size(); ++piece_, at_ = 0) {
      rest->push_back(pieces_[piece_].substr(at_));
      bytes += rest->back().size();
    }
    return bytes;
  }

 private:
  void SkipEmpty() {
    for (; piece_ < pieces_.size() && at_ == pieces_[piece_].size(); ++piece_) at_ = 0;
  }

  const absl::Span<const std::string_view> pieces_;
  size_t piece_ = 0;
  size_t at_ = 0;  // in that piece
};

void AppendVarint(uint64_t value, std::string* out) {
  for (; value >= 0x80; value >>= 7) out->push_back(static_cast<char>(value | 0x80));
  out->push_back(static_cast<char>(value));
}

}  // namespace

bool FindData(absl::Span<const std::string_view> message, std::vector<std::string_view>* data) {
  constexpr int kMaxLengthBits = 28;  // more than any message has
  ByteWalk walk(message);
  char byte = 0;
  if (!walk.Next(&byte) || byte != kWriteDataTag) return false;
  uint64_t length = 0;
  for (int shift = 0; shift < kMaxLengthBits; shift += 7) {
    if (!walk.Next(&byte)) return false;
    length |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) return walk.Rest(data) == length;
  }
  return false;
}

std::string EncodeReadHead(uint64_t offset, uint64_t blob_size_bytes, size_t data_bytes) {
  v1::ReadResponse head;
  head.set_offset(offset);
  head.set_blob_size_bytes(blob_size_bytes);
  std::string encoded = head.SerializeAsString();
  if (data_bytes != 0) {
    encoded.push_back(kReadDataTag);
    AppendVarint(data_bytes, &encoded);
  }
  return encoded;
}

}  // namespace varve
