// The functions of --format templates: those of Go's templates and of Docker that lists need.
#include <algorithm>
#include <array>

#include "client/cli/format_nodes.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"

namespace varve::format {
namespace {

using Arguments = absl::Span<const FormatValue>;

std::string TextOf(const FormatValue& value) {
  std::string text;
  value.AppendText(&text);
  return text;
}

absl::StatusOr<std::string> TextArgument(const FormatValue& value) {
  if (value.text() == nullptr) return absl::InvalidArgumentError("takes a text");
  return *value.text();
}

absl::StatusOr<size_t> SizeArgument(const FormatValue& value) {
  if (value.number() == nullptr || *value.number() < 0) {
    return absl::InvalidArgumentError("takes a number that is not negative");
  }
  return static_cast<size_t>(*value.number());
}

char ToLower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }
char ToUpper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - ('a' - 'A')) : c; }

absl::StatusOr<FormatValue> Json(Arguments arguments) {
  std::string json;
  arguments[0].AppendJson(&json);
  return json;
}

absl::StatusOr<FormatValue> Lower(Arguments arguments) {
  std::string text = TextOf(arguments[0]);
  std::transform(text.begin(), text.end(), text.begin(), ToLower);
  return text;
}

absl::StatusOr<FormatValue> Upper(Arguments arguments) {
  std::string text = TextOf(arguments[0]);
  std::transform(text.begin(), text.end(), text.begin(), ToUpper);
  return text;
}

absl::StatusOr<FormatValue> Title(Arguments arguments) {
  std::string text = TextOf(arguments[0]);
  for (size_t i = 0; i < text.size(); ++i) {
    if (i == 0 || text[i - 1] == ' ') text[i] = ToUpper(text[i]);
  }
  return text;
}

absl::StatusOr<FormatValue> Length(Arguments arguments) {
  const FormatValue& value = arguments[0];
  size_t length = 0;
  if (value.text() != nullptr) {
    length = value.text()->size();
  } else if (value.list() != nullptr) {
    length = value.list()->size();
  } else if (value.members() != nullptr) {
    length = value.members()->size();
  } else if (!value.is_null()) {
    return absl::InvalidArgumentError("takes a text, a list or a map");
  }
  return FormatValue::Number(static_cast<int64_t>(length));
}

absl::StatusOr<FormatValue> Join(Arguments arguments) {
  const FormatValue& list = arguments[0];
  if (list.is_null()) return FormatValue("");
  if (list.list() == nullptr) return absl::InvalidArgumentError("takes a list and a text");
  ASSIGN_OR_RETURN(const std::string between, TextArgument(arguments[1]));
  std::string joined;
  for (const FormatValue& value : *list.list()) {
    if (&value != list.list()->data()) joined.append(between);
    value.AppendText(&joined);
    if (joined.size() > kMaxResultBytes) return absl::InvalidArgumentError("gives too much text");
  }
  return joined;
}

absl::StatusOr<FormatValue> Split(Arguments arguments) {
  ASSIGN_OR_RETURN(const std::string text, TextArgument(arguments[0]));
  ASSIGN_OR_RETURN(const std::string between, TextArgument(arguments[1]));
  if (between.empty()) return absl::InvalidArgumentError("needs a text to split at");
  FormatValue::List parts;
  size_t start = 0;
  for (size_t at = 0; (at = text.find(between, start)) != std::string::npos;) {
    parts.emplace_back(text.substr(start, at - start));
    start = at + between.size();
  }
  parts.emplace_back(text.substr(start));
  return FormatValue::ListOf(std::move(parts));
}

absl::StatusOr<FormatValue> Truncate(Arguments arguments) {
  ASSIGN_OR_RETURN(const size_t length, SizeArgument(arguments[1]));
  return TextOf(arguments[0]).substr(0, length);
}

absl::StatusOr<FormatValue> Slice(Arguments arguments) {
  const FormatValue& value = arguments[0];
  if (value.text() == nullptr && value.list() == nullptr) {
    return absl::InvalidArgumentError("takes a text or a list");
  }
  const size_t size = value.text() != nullptr ? value.text()->size() : value.list()->size();
  size_t begin = 0;
  size_t end = size;
  if (arguments.size() > 1) {
    ASSIGN_OR_RETURN(begin, SizeArgument(arguments[1]));
  }
  if (arguments.size() > 2) {
    ASSIGN_OR_RETURN(end, SizeArgument(arguments[2]));
  }
  if (begin > end || end > size) {
    return absl::InvalidArgumentError(StrCat("goes beyond the ", size, " there are"));
  }
  if (value.text() != nullptr) return FormatValue(value.text()->substr(begin, end - begin));
  const absl::Span<const FormatValue> part = absl::MakeConstSpan(*value.list());
  const absl::Span<const FormatValue> kept = part.subspan(begin, end - begin);
  return FormatValue::ListOf(FormatValue::List(kept.begin(), kept.end()));
}

absl::StatusOr<FormatValue> Print(Arguments arguments) {
  std::string text;
  for (const FormatValue& value : arguments) {
    value.AppendText(&text);
    if (text.size() > kMaxResultBytes) return absl::InvalidArgumentError("gives too much text");
  }
  return text;
}

absl::StatusOr<FormatValue> PrintLine(Arguments arguments) {
  std::string text;
  for (const FormatValue& value : arguments) {
    if (&value != arguments.data()) text.push_back(' ');
    value.AppendText(&text);
    if (text.size() > kMaxResultBytes) return absl::InvalidArgumentError("gives too much text");
  }
  text.push_back('\n');
  return text;
}

// Spaces before and after, unless there is nothing to pad.
absl::StatusOr<FormatValue> Pad(Arguments arguments) {
  ASSIGN_OR_RETURN(const std::string text, TextArgument(arguments[0]));
  ASSIGN_OR_RETURN(const size_t before, SizeArgument(arguments[1]));
  ASSIGN_OR_RETURN(const size_t after, SizeArgument(arguments[2]));
  if (before > kMaxResultBytes || after > kMaxResultBytes) {
    return absl::InvalidArgumentError("gives too much text");
  }
  if (text.empty()) return text;
  return StrCat(std::string(before, ' '), text, std::string(after, ' '));
}

absl::StatusOr<FormatValue> Index(Arguments arguments) {
  FormatValue value = arguments[0];
  for (const FormatValue& key : arguments.subspan(1)) {
    if (value.is_null()) return value;
    FormatValue inner;
    if (value.list() != nullptr) {
      ASSIGN_OR_RETURN(const size_t at, SizeArgument(key));
      if (at >= value.list()->size()) {
        return absl::InvalidArgumentError(
            StrCat("goes beyond the ", value.list()->size(), " there are"));
      }
      inner = (*value.list())[at];
    } else if (value.members() != nullptr) {
      ASSIGN_OR_RETURN(const std::string name, TextArgument(key));
      if (const FormatValue* const member = value.Find(name)) inner = *member;
    } else {
      return absl::InvalidArgumentError("takes a list or a map");
    }
    value = inner;
  }
  return value;
}

absl::StatusOr<FormatValue> Equal(Arguments arguments) {
  const std::string first = TextOf(arguments[0]);
  return FormatValue::Boolean(
      std::any_of(arguments.begin() + 1, arguments.end(),
                  [&first](const FormatValue& value) { return TextOf(value) == first; }));
}

absl::StatusOr<FormatValue> NotEqual(Arguments arguments) {
  return FormatValue::Boolean(TextOf(arguments[0]) != TextOf(arguments[1]));
}

// Below 0, 0 or above, as the first is less than, equal to or greater than the second.
absl::StatusOr<int> Compare(Arguments arguments) {
  const FormatValue& a = arguments[0];
  const FormatValue& b = arguments[1];
  if (a.number() != nullptr && b.number() != nullptr) {
    return *a.number() < *b.number() ? -1 : *a.number() > *b.number() ? 1 : 0;
  }
  if (a.text() != nullptr && b.text() != nullptr) return a.text()->compare(*b.text());
  return absl::InvalidArgumentError("takes two numbers or two texts");
}

absl::StatusOr<FormatValue> Less(Arguments arguments) {
  ASSIGN_OR_RETURN(const int order, Compare(arguments));
  return FormatValue::Boolean(order < 0);
}

absl::StatusOr<FormatValue> LessOrEqual(Arguments arguments) {
  ASSIGN_OR_RETURN(const int order, Compare(arguments));
  return FormatValue::Boolean(order <= 0);
}

absl::StatusOr<FormatValue> Greater(Arguments arguments) {
  ASSIGN_OR_RETURN(const int order, Compare(arguments));
  return FormatValue::Boolean(order > 0);
}

absl::StatusOr<FormatValue> GreaterOrEqual(Arguments arguments) {
  ASSIGN_OR_RETURN(const int order, Compare(arguments));
  return FormatValue::Boolean(order >= 0);
}

absl::StatusOr<FormatValue> Not(Arguments arguments) {
  return FormatValue::Boolean(!arguments[0].IsTrue());
}

// The first that is false, or the last.
absl::StatusOr<FormatValue> And(Arguments arguments) {
  const auto* const found = std::find_if(arguments.begin(), arguments.end() - 1,
                                         [](const FormatValue& value) { return !value.IsTrue(); });
  return *found;
}

// The first that is true, or the last.
absl::StatusOr<FormatValue> Or(Arguments arguments) {
  const auto* const found = std::find_if(arguments.begin(), arguments.end() - 1,
                                         [](const FormatValue& value) { return value.IsTrue(); });
  return *found;
}

constexpr size_t kAny = 64;
constexpr std::array<Function, 23> kFunctions = {{
    {"and", 1, kAny, And},
    {"eq", 2, kAny, Equal},
    {"ge", 2, 2, GreaterOrEqual},
    {"gt", 2, 2, Greater},
    {"index", 1, kAny, Index},
    {"join", 2, 2, Join},
    {"json", 1, 1, Json},
    {"le", 2, 2, LessOrEqual},
    {"len", 1, 1, Length},
    {"lower", 1, 1, Lower},
    {"lt", 2, 2, Less},
    {"ne", 2, 2, NotEqual},
    {"not", 1, 1, Not},
    {"or", 1, kAny, Or},
    {"pad", 3, 3, Pad},
    {"print", 0, kAny, Print, /*on_heads=*/true},
    {"printf", 1, kAny, Printf, /*on_heads=*/true},
    {"println", 0, kAny, PrintLine, /*on_heads=*/true},
    {"slice", 1, 3, Slice},
    {"split", 2, 2, Split},
    {"title", 1, 1, Title},
    {"truncate", 2, 2, Truncate},
    {"upper", 1, 1, Upper},
}};

}  // namespace

const Function* FindFunction(std::string_view name) {
  const auto* const found =
      std::find_if(kFunctions.begin(), kFunctions.end(),
                   [name](const Function& function) { return function.name == name; });
  return found == kFunctions.end() ? nullptr : found;
}

std::string FunctionNames() {
  std::string names;
  for (const Function& function : kFunctions) {
    if (!names.empty()) names.append(", ");
    names.append(function.name);
  }
  return names;
}

}  // namespace varve::format
