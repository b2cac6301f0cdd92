// The values that a --format template can show: what JSON has, with the order of members kept.
// Immutable, cheap to copy; the one who builds them nests them at most a few levels deep.
#ifndef VARVE_CLIENT_CLI_FORMAT_VALUE_H_
#define VARVE_CLIENT_CLI_FORMAT_VALUE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace varve {

class FormatValue {
 public:
  using List = std::vector<FormatValue>;
  using Members = std::vector<std::pair<std::string, FormatValue>>;

  FormatValue() = default;  // no value: JSON's null
  // NOLINTBEGIN(google-explicit-constructor): a row reads as what it shows.
  FormatValue(std::string text) : value_(std::move(text)) {}
  FormatValue(std::string_view text) : value_(std::string(text)) {}
  FormatValue(const char* text) : value_(std::string(text)) {}
  // NOLINTEND(google-explicit-constructor)
  static FormatValue Boolean(bool value) { return FormatValue(Content(value)); }
  static FormatValue Number(int64_t value) { return FormatValue(Content(value)); }
  static FormatValue ListOf(List list);
  // With the fields that its kind has; of `optional` ones it may lack some, which have no value. To
  // ask for another one is a mistake.
  static FormatValue Object(Members members, std::vector<std::string> optional = {});
  // With keys that come from outside, e.g. labels: to ask for an absent one gives no value. In the
  // order given, which for people is that of the keys.
  static FormatValue Map(Members members);

  const bool* boolean() const { return std::get_if<bool>(&value_); }
  const int64_t* number() const { return std::get_if<int64_t>(&value_); }
  const std::string* text() const { return std::get_if<std::string>(&value_); }
  const List* list() const { return Pointee<List>(); }
  const Members* members() const { return Pointee<Members>(); }
  bool is_null() const { return std::holds_alternative<std::monostate>(value_); }

  // The member `name` of an object or a map, else nullptr.
  const FormatValue* Find(std::string_view name) const;
  // Whether an absent member `name` is no mistake.
  bool MayLack(std::string_view name) const;
  // By the rules of Go's templates: not false, 0, empty or no value.
  bool IsTrue() const;

  // As a Go template writes it: "text", "7", "true", "[a b]", "map[a:b]", "<no value>".
  void AppendText(std::string* out) const;
  // As JSON on one line.
  void AppendJson(std::string* out) const;

 private:
  using Content = std::variant<std::monostate, bool, int64_t, std::string,
                               std::shared_ptr<const List>, std::shared_ptr<const Members>>;

  explicit FormatValue(Content value) : value_(std::move(value)) {}

  template <typename T>
  const T* Pointee() const {
    const auto* const shared = std::get_if<std::shared_ptr<const T>>(&value_);
    return shared == nullptr ? nullptr : shared->get();
  }

  Content value_;
  bool is_map_ = false;
  std::shared_ptr<const std::vector<std::string>> optional_;  // of an object; null: none
};

}  // namespace varve

#endif  // VARVE_CLIENT_CLI_FORMAT_VALUE_H_
