// The match finders, one file a kind; NewMatchFinder chooses.
#ifndef VARVE_STORAGE_DEFLATE_KLAUSPOST_LEVELS_H_
#define VARVE_STORAGE_DEFLATE_KLAUSPOST_LEVELS_H_

#include <memory>

#include "storage/deflate/klauspost/match_finder.h"

namespace varve::klauspost {

std::unique_ptr<MatchFinder> NewLevel1();
std::unique_ptr<MatchFinder> NewLevel2();
std::unique_ptr<MatchFinder> NewLevel3();
// `misplaced`: kMisplacedSecondMatch.
std::unique_ptr<MatchFinder> NewLevel4(bool misplaced);
std::unique_ptr<MatchFinder> NewLevel5();
std::unique_ptr<MatchFinder> NewLevel6();

}  // namespace varve::klauspost

#endif  // VARVE_STORAGE_DEFLATE_KLAUSPOST_LEVELS_H_
