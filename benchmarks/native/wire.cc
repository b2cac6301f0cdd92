#include "benchmarks/native/wire.h"

namespace varve::load {
namespace {

constexpr uint64_t kVarint = 0;
constexpr uint64_t kLengthDelimited = 2;
constexpr int kTypeBits = 3;

void AppendVarint(std::string* out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out->push_back(static_cast<char>(value | 0x80));
  out->push_back(static_cast<char>(value));
}

}  // namespace

void AppendNumber(std::string* message, int field, uint64_t value) {
  AppendVarint(message, static_cast<uint64_t>(field) << kTypeBits | kVarint);
  AppendVarint(message, value);
}

void AppendDataHead(std::string* message, int field, size_t size) {
  AppendVarint(message, static_cast<uint64_t>(field) << kTypeBits | kLengthDelimited);
  AppendVarint(message, size);
}

void AppendText(std::string* message, int field, std::string_view value) {
  AppendDataHead(message, field, value.size());
  message->append(value);
}

std::optional<uint64_t> WireReader::Varint() {
  uint64_t value = 0;
  for (int shift = 0; shift < 64 && at_ < front_.size(); shift += 7) {
    const uint8_t byte = static_cast<uint8_t>(front_[at_++]);
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) return value;
  }
  return std::nullopt;
}

std::optional<WireField> WireReader::Next() {
  const std::optional<uint64_t> tag = Varint();
  if (!tag.has_value()) return std::nullopt;
  const std::optional<uint64_t> value = Varint();
  if (!value.has_value()) return std::nullopt;
  WireField field{static_cast<int>(*tag >> kTypeBits), *value, std::nullopt};
  const uint64_t type = *tag & ((1 << kTypeBits) - 1);
  if (type == kLengthDelimited) {
    field.start = at_;
    at_ += *value;
  } else if (type != kVarint) {
    return std::nullopt;
  }
  return field;
}

}  // namespace varve::load
