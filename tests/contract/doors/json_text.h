// Finds values in the JSON that the HTTP door sends, without a library; views point into the text.
// What is no JSON gives nothing, so that the test that wanted something fails. Pure functions.
#ifndef VARVE_TESTS_CONTRACT_DOORS_JSON_TEXT_H_
#define VARVE_TESTS_CONTRACT_DOORS_JSON_TEXT_H_

#include <string>
#include <string_view>
#include <vector>

namespace varve {

// The text of the value of `key` in an object; "" when it has none.
std::string_view JsonMember(std::string_view object, std::string_view key);

// The texts of the values in an array.
std::vector<std::string_view> JsonElements(std::string_view array);

// The string that a value means; "" when it is no string.
std::string JsonString(std::string_view value);

}  // namespace varve

#endif  // VARVE_TESTS_CONTRACT_DOORS_JSON_TEXT_H_
