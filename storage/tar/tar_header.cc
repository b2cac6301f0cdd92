#include "storage/tar/tar_header.h"

#include <algorithm>
#include <cstring>

#include "storage/base/check.h"

namespace varve {
namespace {

struct Field {
  size_t offset;
  size_t size;
};
constexpr Field kSize{124, 12};
constexpr Field kModified{136, 12};
constexpr Field kChecksum{148, 8};
constexpr size_t kType = 156;
// Old GNU sparse: whether the map goes on, in the header and in the blocks of the map.
constexpr size_t kHeaderGoesOn = 482;
constexpr size_t kMapGoesOn = 504;

std::string_view Of(std::string_view block, Field field) {
  return block.substr(field.offset, field.size);
}
absl::Span<char> Of(absl::Span<char> block, Field field) {
  return block.subspan(field.offset, field.size);
}

bool IsOctal(char c) { return c >= '0' && c <= '7'; }

size_t CountDigits(std::string_view text) {
  const auto end = std::find_if_not(text.begin(), text.end(), IsOctal);
  return static_cast<size_t>(end - text.begin());
}

uint64_t OctalValue(std::string_view digits) {
  uint64_t value = 0;
  for (const char digit : digits) value = value * 8 + static_cast<uint64_t>(digit - '0');
  return value;
}

// Spaces, digits, and then nothing, a space or a zero byte. At most 12 digits: 36 bits.
std::optional<uint64_t> ParseOctal(std::string_view field) {
  field.remove_prefix(std::min(field.find_first_not_of(' '), field.size()));
  const size_t digits = CountDigits(field);
  if (digits == 0) return std::nullopt;
  if (digits < field.size() && field[digits] != ' ' && field[digits] != '\0') return std::nullopt;
  return OctalValue(field.substr(0, digits));
}

// GNU's form of large and negative numbers: a set high bit, then two's complement, big-endian.
std::optional<uint64_t> ParseSize(std::string_view field) {
  if ((field[0] & 0x80) == 0) return ParseOctal(field);
  if (field.substr(0, 4) != std::string_view("\x80\0\0\0", 4)) return std::nullopt;
  uint64_t value = 0;
  for (const char byte : field.substr(4)) value = (value << 8) | static_cast<uint8_t>(byte);
  if (value > INT64_MAX) return std::nullopt;
  return value;
}

// The sums of all bytes, where those of the checksum field count as spaces.
struct Sums {
  uint64_t of_unsigned;
  uint64_t of_signed;  // modulo 2^64
};

Sums SumBlock(std::string_view block) {
  uint32_t sum = 0;
  uint32_t high = 0;
  for (const char byte : block) {
    sum += static_cast<uint8_t>(byte);
    high += static_cast<uint8_t>(byte) >> 7;
  }
  for (const char byte : Of(block, kChecksum)) {
    sum -= static_cast<uint8_t>(byte);
    high -= static_cast<uint8_t>(byte) >> 7;
  }
  sum += static_cast<uint32_t>(' ' * kChecksum.size);
  return {.of_unsigned = sum, .of_signed = uint64_t{sum} - uint64_t{high} * 256};
}

void WriteOctal(uint64_t value, absl::Span<char> digits) {
  for (size_t i = digits.size(); i > 0; --i) {
    digits[i - 1] = static_cast<char>('0' + (value & 7));
    value >>= 3;
  }
}

std::string_view ViewOf(absl::Span<const char> bytes) { return {bytes.data(), bytes.size()}; }

// The digits that a field begins with.
absl::Span<char> DigitsOf(absl::Span<char> block, Field field) {
  const absl::Span<char> bytes = Of(block, field);
  return bytes.first(CountDigits(ViewOf(bytes)));
}

bool Fits(uint64_t value, size_t digits) { return value >> (3 * digits) == 0; }

bool IsBlank(absl::Span<const char> digits) {
  return !digits.empty() &&
         std::all_of(digits.begin(), digits.end(), [](char digit) { return digit == '0'; });
}

}  // namespace

bool IsZeroBlock(std::string_view bytes) {
  return bytes.empty() ||
         (bytes[0] == '\0' && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

std::optional<TarHeader> ParseTarHeader(std::string_view block) {
  CheckInvariant(block.size() == kTarBlockBytes, "a tar header is one block");
  const std::optional<uint64_t> checksum = ParseOctal(Of(block, kChecksum));
  if (!checksum.has_value()) return std::nullopt;
  const Sums sums = SumBlock(block);
  if (*checksum != sums.of_unsigned && *checksum != sums.of_signed) return std::nullopt;
  const char type = block[kType];
  return TarHeader{.type = type,
                   .size_bytes = ParseSize(Of(block, kSize)).value_or(0),
                   .sparse_map_goes_on = type == 'S' && block[kHeaderGoesOn] != '\0'};
}

bool SparseMapGoesOn(std::string_view block) { return block[kMapGoesOn] != '\0'; }

std::optional<uint64_t> TakeTarTime(absl::Span<char> block) {
  const absl::Span<char> time = DigitsOf(block, kModified);
  const absl::Span<char> checksum = DigitsOf(block, kChecksum);
  if (time.empty() || checksum.empty()) return std::nullopt;
  if (OctalValue(ViewOf(checksum)) != SumBlock(ViewOf(block)).of_unsigned) return std::nullopt;
  const uint64_t seconds = OctalValue(ViewOf(time));
  std::fill(time.begin(), time.end(), '0');
  std::fill(checksum.begin(), checksum.end(), '0');
  return seconds;
}

absl::Status RestoreTarTime(uint64_t seconds, absl::Span<char> block) {
  const absl::Span<char> time = DigitsOf(block, kModified);
  const absl::Span<char> checksum = DigitsOf(block, kChecksum);
  if (!IsBlank(time) || !IsBlank(checksum) || !Fits(seconds, time.size())) {
    return absl::DataLossError("a tar header and its time do not belong together");
  }
  WriteOctal(seconds, time);
  const uint64_t sum = SumBlock(ViewOf(block)).of_unsigned;
  if (!Fits(sum, checksum.size())) {
    return absl::DataLossError("the checksum of a tar header has no room there");
  }
  WriteOctal(sum, checksum);
  return absl::OkStatus();
}

}  // namespace varve
