#include "client/cli/json_value.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <string>
#include <utility>

#include "storage/base/str_cat.h"

namespace varve {
namespace {

FormatValue Convert(const boost::json::value& value) {
  switch (value.kind()) {
    case boost::json::kind::null:
      return {};
    case boost::json::kind::bool_:
      return FormatValue::Boolean(value.get_bool());
    case boost::json::kind::int64:
      return FormatValue::Number(value.get_int64());
    case boost::json::kind::string:
      return {std::string(value.get_string())};
    case boost::json::kind::array: {
      FormatValue::List list;
      for (const boost::json::value& entry : value.get_array()) list.push_back(Convert(entry));
      return FormatValue::ListOf(std::move(list));
    }
    case boost::json::kind::object: {
      FormatValue::Members members;
      for (const auto& member : value.get_object()) {
        members.emplace_back(std::string(member.key()), Convert(member.value()));
      }
      return FormatValue::Map(std::move(members));
    }
    case boost::json::kind::uint64:
    case boost::json::kind::double_:
      break;
  }
  return {boost::json::serialize(value)};  // a number that a template can only show
}

}  // namespace

absl::StatusOr<FormatValue> ParseJsonValue(std::string_view json) {
  boost::system::error_code error;
  const boost::json::value value = boost::json::parse(json, error);  // at most 32 levels deep
  if (error) return absl::InvalidArgumentError(StrCat("not JSON: ", error.message()));
  return Convert(value);
}

}  // namespace varve
