// --format templates of the command line. Input: a byte, whose lowest bit says that the template is
// a table's; then the template. Whatever it is, it ends soon, and a refusal is a sentence.
#include <cstdint>
#include <string>
#include <string_view>

#include "client/cli/format_template.h"
#include "storage/base/str_cat.h"
#include "tests/fuzz/invariant.h"

namespace varve {
namespace {

constexpr size_t kMaxOutputBytes = size_t{64} << 20;

FormatValue Row() {
  return FormatValue::Object(
      {{"ID", "sha256:0123456789abcdef"},
       {"Labels", FormatValue::Map({{"a.b", "dotted"}, {"team", FormatValue()}})},
       {"Nested", FormatValue::Object({{"Inner", FormatValue::ListOf({"x", "y"})}})},
       {"Size", FormatValue::Number(-7)},
       {"Tags", FormatValue::ListOf({"v1", "", FormatValue::Boolean(true)})}});
}

void CheckRefusal(const absl::Status& status) {
  FUZZ_INVARIANT(status.code() == absl::StatusCode::kInvalidArgument);
  const std::string_view sentence = ToStd(status.message());
  FUZZ_INVARIANT(sentence.rfind("--format, character ", 0) == 0);
  FUZZ_INVARIANT(sentence.find('\n') == std::string_view::npos);
}

void CheckTemplate(std::string_view text) {
  const absl::StatusOr<FormatTemplate> parsed = FormatTemplate::Parse(text);
  if (!parsed.ok()) return CheckRefusal(parsed.status());
  const FormatValue row = Row();
  const absl::StatusOr<std::string> rendered = parsed->Render(row);
  if (!rendered.ok()) return CheckRefusal(rendered.status());
  FUZZ_INVARIANT(rendered->size() <= kMaxOutputBytes);
  FUZZ_INVARIANT(*parsed->Render(row) == *rendered);
  if (text.find("{{") == std::string_view::npos) FUZZ_INVARIANT(rendered->size() <= text.size());
}

void CheckTable(std::string_view text) {
  const FormatColumn columns[] = {
      {"ID", "ID"}, {"Labels", "LABELS"}, {"Nested", "NESTED"}, {"Size", "SIZE"}, {"Tags", "TAGS"}};
  absl::StatusOr<FormattedListing> listing =
      FormattedListing::Create(StrCat("table ", text), columns, "{{.ID}}");
  if (!listing.ok()) return CheckRefusal(listing.status());
  const FormatValue rows[] = {Row(), Row()};
  const absl::StatusOr<std::string> table = listing->Format(rows);
  if (!table.ok()) return CheckRefusal(table.status());
  // The heads and the rows, a line each.
  size_t lines = 0;
  for (const char c : *table) {
    FUZZ_INVARIANT(c == '\n' || (c != 127 && (c < 0 || c >= ' ')));
    if (c == '\n') ++lines;
  }
  FUZZ_INVARIANT(lines == 3);
}

}  // namespace
}  // namespace varve

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string input(data, data + size);
  const std::string_view text = std::string_view(input).substr(1);
  if ((data[0] & 1) != 0) {
    varve::CheckTable(text);
  } else {
    varve::CheckTemplate(text);
  }
  return 0;
}
