// Listings come in pages; every listing of the store says in which order.
#ifndef VARVE_STORAGE_API_PAGE_H_
#define VARVE_STORAGE_API_PAGE_H_

#include <cstddef>
#include <string>
#include <vector>

namespace varve {

struct PageRequest {
  std::string after;   // the last name of the page before; empty for the first page
  size_t limit = 100;  // at most kMaxPageRows are given
};

template <typename Row>
struct Page {
  std::vector<Row> rows;
  bool more = false;  // ask again with `after` = `next`, or when that is empty the last row's name
  std::string next;   // of a page that reached its budget of reads before its number of rows
};

}  // namespace varve

#endif  // VARVE_STORAGE_API_PAGE_H_
