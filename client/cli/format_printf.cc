// printf of --format templates: what Go's fmt makes of the values that a template has.
#include <algorithm>
#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "client/cli/format_nodes.h"
#include "storage/base/json_text.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"

namespace varve::format {
namespace {

// Wider or more precise is a mistake.
constexpr int kMaxWidth = 1024;

struct Verb {
  bool left = false;        // '-'
  bool zeros = false;       // '0'
  bool other_form = false;  // '#'
  std::string sign;         // '+', ' ' or nothing
  std::optional<int> width;
  std::optional<int> precision;
  char letter = 's';
};

absl::Status Unfit(const Verb& verb, std::string_view wanted) {
  return absl::InvalidArgumentError(
      StrCat("needs ", wanted, " for %", std::string(1, verb.letter)));
}

// Reads the verbs of one text, and gives each the next of the values.
class Printer {
 public:
  Printer(std::string_view text, absl::Span<const FormatValue> values)
      : text_(text), values_(values) {}

  absl::StatusOr<std::string> Run() {
    while (at_ < text_.size()) {
      const size_t percent = std::min(text_.find('%', at_), text_.size());
      out_.append(text_.substr(at_, percent - at_));
      at_ = percent + 1;
      if (percent == text_.size()) break;
      ASSIGN_OR_RETURN(const Verb verb, ReadVerb());
      if (verb.letter == '%') {
        out_.push_back('%');
      } else {
        RETURN_IF_ERROR(Append(verb));
      }
      if (out_.size() > kMaxResultBytes) return absl::InvalidArgumentError("gives too much text");
    }
    if (next_ < values_.size()) {
      return absl::InvalidArgumentError(
          StrCat("was given ", values_.size(), " values and shows ", next_));
    }
    return std::move(out_);
  }

 private:
  char Current() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  absl::StatusOr<FormatValue> NextValue() {
    if (next_ == values_.size()) {
      return absl::InvalidArgumentError("was given fewer values than it shall show");
    }
    return values_[next_++];
  }

  // Digits, or '*' for the next value; nullopt when neither is there.
  absl::StatusOr<std::optional<int>> ReadNumber() {
    int64_t number = 0;
    if (Current() == '*') {
      ++at_;
      ASSIGN_OR_RETURN(const FormatValue value, NextValue());
      if (value.number() == nullptr) return absl::InvalidArgumentError("needs a number for *");
      number = *value.number();
    } else {
      const size_t start = at_;
      while (Current() >= '0' && Current() <= '9') ++at_;
      if (at_ == start) return std::optional<int>();
      if (!absl::SimpleAtoi(ToAbsl(text_.substr(start, at_ - start)), &number)) {
        number = kMaxWidth + 1;
      }
    }
    if (number < 0 || number > kMaxWidth) {
      return absl::InvalidArgumentError(StrCat("takes a width up to ", kMaxWidth));
    }
    return std::optional<int>(static_cast<int>(number));
  }

  absl::StatusOr<Verb> ReadVerb() {
    Verb verb;
    for (bool flags = true; flags;) {
      switch (Current()) {
        case '-':
          verb.left = true;
          break;
        case '0':
          verb.zeros = true;
          break;
        case '+':
        case ' ':
          verb.sign = Current();
          break;
        case '#':
          verb.other_form = true;
          break;
        default:
          flags = false;
      }
      if (flags) ++at_;
    }
    ASSIGN_OR_RETURN(verb.width, ReadNumber());
    if (Current() == '.') {
      ++at_;
      ASSIGN_OR_RETURN(verb.precision, ReadNumber());
      if (!verb.precision.has_value()) verb.precision = 0;
    }
    verb.letter = Current();
    ++at_;
    constexpr std::string_view kLetters = "%vsqdtxXobcf";
    if (verb.letter == '\0' || kLetters.find(verb.letter) == std::string_view::npos) {
      return absl::InvalidArgumentError(StrCat("knows the verbs ", kLetters, " only"));
    }
    return verb;
  }

  absl::Status Append(const Verb& verb) {
    ASSIGN_OR_RETURN(const FormatValue value, NextValue());
    switch (verb.letter) {
      case 'd':
      case 'o':
      case 'b':
      case 'c':
        return AppendInteger(verb, value);
      case 'f':
        return AppendFloat(verb, value);
      case 't':
        if (value.boolean() == nullptr) return Unfit(verb, "a truth value");
        break;
      case 'x':
      case 'X':
        if (value.number() != nullptr) return AppendInteger(verb, value);
        if (value.text() == nullptr) return Unfit(verb, "a number or a text");
        AppendPadded(verb, HexText(*value.text(), verb.letter));
        return absl::OkStatus();
      case 'v':
        if (value.number() != nullptr) return AppendInteger(verb, value);
        break;
      case 'q': {
        if (value.text() == nullptr) return Unfit(verb, "a text");
        std::string quoted;
        AppendJsonString(&quoted, *value.text());
        AppendPadded(verb, quoted);
        return absl::OkStatus();
      }
      default:
        break;
    }
    std::string text;
    value.AppendText(&text);
    AppendPadded(verb,
                 verb.letter == 's' || value.text() != nullptr ? Cut(text, verb.precision) : text);
    return absl::OkStatus();
  }

  // In characters, as Go counts.
  static size_t Characters(std::string_view text) {
    return static_cast<size_t>(std::count_if(
        text.begin(), text.end(), [](char c) { return (static_cast<uint8_t>(c) & 0xc0) != 0x80; }));
  }

  static std::string Cut(const std::string& text, std::optional<int> characters) {
    if (!characters.has_value()) return text;
    size_t end = 0;
    for (int left = *characters; end < text.size(); ++end) {
      const bool begins = (static_cast<uint8_t>(text[end]) & 0xc0) != 0x80;
      if (begins && left-- == 0) break;
    }
    return text.substr(0, end);
  }

  void AppendPadded(const Verb& verb, const std::string& text) {
    const auto width = static_cast<size_t>(verb.width.value_or(0));
    const size_t length = Characters(text);
    const std::string pad(width > length ? width - length : 0, ' ');
    out_.append(verb.left ? text + pad : pad + text);
  }

  static std::string HexText(std::string_view text, char letter) {
    std::string hex;
    for (const char c : text) {
      const auto byte = static_cast<unsigned>(static_cast<uint8_t>(c));
      hex += letter == 'x' ? absl::StrFormat("%02x", byte) : absl::StrFormat("%02X", byte);
    }
    return hex;
  }

  // Digits of the magnitude in a base; at least one.
  static std::string Digits(uint64_t magnitude, unsigned base, bool upper) {
    std::string digits;
    do {
      const char* const letters = upper ? "0123456789ABCDEF" : "0123456789abcdef";
      digits.insert(digits.begin(), letters[magnitude % base]);
      magnitude /= base;
    } while (magnitude != 0);
    return digits;
  }

  absl::Status AppendInteger(const Verb& verb, const FormatValue& value) {
    if (value.number() == nullptr) return Unfit(verb, "a whole number");
    const int64_t number = *value.number();
    if (verb.letter == 'c') {
      if (number < 0x20 || number > 0x7e) return Unfit(verb, "the code of an ASCII character");
      AppendPadded(verb, std::string(1, static_cast<char>(number)));
      return absl::OkStatus();
    }
    const bool hex = verb.letter == 'x' || verb.letter == 'X';
    const unsigned base = hex ? 16 : verb.letter == 'o' ? 8 : verb.letter == 'b' ? 2 : 10;
    const uint64_t magnitude =
        number < 0 ? uint64_t{0} - static_cast<uint64_t>(number) : static_cast<uint64_t>(number);
    std::string digits = Digits(magnitude, base, verb.letter == 'X');
    const std::string sign = number < 0 ? "-" : verb.sign;
    std::string_view prefix;
    if (verb.other_form && hex) prefix = verb.letter == 'x' ? "0x" : "0X";
    size_t wanted = static_cast<size_t>(verb.precision.value_or(0));
    if (verb.zeros && !verb.left && !verb.precision.has_value() && verb.width.has_value()) {
      const size_t taken = sign.size() + prefix.size();
      wanted = std::max(static_cast<size_t>(*verb.width), taken) - taken;
    }
    if (digits.size() < wanted) digits.insert(0, wanted - digits.size(), '0');
    AppendPadded(verb, StrCat(sign, prefix, digits));
    return absl::OkStatus();
  }

  // Numbers that are not whole come as their text.
  absl::Status AppendFloat(const Verb& verb, const FormatValue& value) {
    double number = 0;
    if (value.number() != nullptr) {
      number = static_cast<double>(*value.number());
    } else if (value.text() == nullptr || !absl::SimpleAtod(*value.text(), &number)) {
      return Unfit(verb, "a number");
    }
    std::string text = absl::StrFormat("%.*f", verb.precision.value_or(6), number);
    if (text[0] != '-') text = verb.sign + text;
    const auto width = static_cast<size_t>(verb.width.value_or(0));
    if (verb.zeros && !verb.left && text.size() < width) {
      const bool has_sign = text[0] == '-' || text[0] == '+' || text[0] == ' ';
      text.insert(has_sign ? size_t{1} : size_t{0}, width - text.size(), '0');
    }
    AppendPadded(verb, text);
    return absl::OkStatus();
  }

  const std::string_view text_;
  const absl::Span<const FormatValue> values_;
  size_t at_ = 0;
  size_t next_ = 0;  // value
  std::string out_;
};

}  // namespace

absl::StatusOr<FormatValue> Printf(absl::Span<const FormatValue> arguments) {
  if (arguments[0].text() == nullptr) return absl::InvalidArgumentError("takes a text first");
  ASSIGN_OR_RETURN(std::string text, Printer(*arguments[0].text(), arguments.subspan(1)).Run());
  return FormatValue(std::move(text));
}

}  // namespace varve::format
