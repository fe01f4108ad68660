//! The words that pet names are made of.

/// Words for all but the last two places.
pub(super) const ADVERBS: &str = "\
abnormally absently actively actually adequately admirably aptly arguably avidly barely basically \
blatantly blindly boldly bravely briefly brightly briskly broadly calmly carefully casually \
certainly cheaply cheerfully clearly cleverly closely commonly completely constantly coolly \
correctly curiously daily dearly deeply definitely deftly directly distinctly duly eagerly early \
easily endlessly entirely equally especially evenly eventually evidently exactly exclusively \
explicitly expressly extremely fairly faithfully fast finally firmly fluently fondly formally \
fortunately frankly freely frequently freshly fully generally gently genuinely gladly globally \
gracefully gradually gratefully greatly happily hardly heartily heavily highly honestly hopefully \
hugely humbly ideally initially instantly intensely jointly jolly justly keenly kindly largely \
lately legally likely literally lively locally loosely loudly lovingly loyally luckily mainly \
manually marginally merely merrily mildly mostly mutually namely naturally nearly neatly needlessly \
newly nicely nimbly normally notably openly optionally orderly overly partially patiently perfectly \
plainly playfully politely possibly precisely presently promptly properly proudly purely quickly \
quietly rapidly rarely readily really recently regularly relatively reliably remotely repeatedly \
rightly roughly safely scarcely secretly seemingly seriously sharply shortly silently simply \
sincerely slightly slowly smoothly socially softly solely solidly sparsely specially steadily \
strangely strictly strongly suddenly surely swiftly tenderly terribly thankfully thoroughly \
thoughtfully tightly totally truly ultimately uniquely usefully usually utterly vaguely vastly \
verbally visibly vividly warmly weekly wholly widely wildly willingly wisely wonderfully yearly";

/// Words for the last place but one.
pub(super) const ADJECTIVES: &str = "\
able agile airy alert amber ample apt artful astral autumn awake balmy bold brave breezy bright \
brisk broad bronze bubbly busy calm candid careful casual cheery chief civil clean clear clever \
cloudless coastal cobalt cool copper cordial cosmic cosy courtly crafty crimson crisp curious curly \
dapper daring dashing dear deep deft devoted dewy direct distant double dusky eager early earnest \
easy elder electric elegant eminent endless equal even exact expert fabled fair faithful famous \
fancy fast fearless festive fine firm first fit fleet fluent fluffy fond forest fortunate frank free \
fresh frosty full funny gallant game gentle genuine giant gifted glad gleaming global glossy golden \
good graceful grand grateful great green happy hardy hazel hearty helpful hidden high hollow honest \
hopeful humble icy ideal indigo infinite inner ivory jade jaunty jolly jovial joyful just keen kind \
known lasting laughing lavish leafy learned level light likely lilac limber lively local lofty \
logical loud loving loyal lucid lucky lunar magic main major maroon massive mature meadow mellow \
merry mighty mild mindful mint modern modest musical mutual native natural neat nimble noble normal \
northern noted novel oaken oceanic olive open optimal orange orderly outer pale patient peaceful \
pearly perfect placid plain playful pleasant plucky polar polished polite popular precise prime \
proper proud pure purple quaint quick quiet radiant rapid rare ready regal relaxed rich ripe robust \
rosy royal ruby rustic sacred safe sage sandy scarlet secure selected sensible serene shady sharp \
shining silent silken silver simple sincere skilful sleek smart smiling smooth snowy social solar \
solid sound southern sparkling special speedy spirited splendid spry stable starry steady stellar \
still stoic strong sturdy subtle summer sunny super supple sure swift tactful tall tame teal tender \
thankful thorough thoughtful tidy tiny topaz tranquil trim true trusty ultimate unique upbeat \
upright urban useful valiant valid vast velvet verbal viable violet vital vivid warm wealthy welcome \
western whole wide wild willing winged winter wise witty wondrous worthy young zealous zesty";

/// Words for the last place.
pub(super) const ANIMALS: &str = "\
aardvark adder albatross alpaca anchovy ant antelope ape armadillo asp auk axolotl baboon badger \
barbel bass bat beagle bear beaver bee beetle bison blackbird boa boar bobcat bonobo buck budgie \
buffalo bull bulldog bunting burbot buzzard caiman calf camel canary capybara caracal cardinal \
caribou carp cat caterpillar catfish chamois cheetah chickadee chinchilla chipmunk cicada civet clam \
cobra cockatoo cod collie condor coot coral cormorant cougar cow coyote crab crane crayfish cricket \
crocodile crow cub cuckoo curlew cygnet dace deer dingo dodo dog dolphin donkey dormouse dory dove \
dragonfly drake duck duckling eagle earwig echidna eel egret eland elephant elk emu ermine ewe \
falcon fawn ferret finch firefly flamingo flea flounder fly foal fowl fox frog gannet gar garfish \
gazelle gecko gelding gibbon giraffe gnat gnu goat gobbler goldfinch goose gopher gorilla goshawk \
grackle grayling grebe greyhound grouper grouse guanaco gull guppy haddock hagfish hake halibut \
hamster hare harrier hawk hedgehog hen heron herring hippo hog hoopoe hornet horse hound husky hyena \
ibex ibis iguana impala insect jackal jackdaw jaguar jay jellyfish jennet kangaroo kestrel kid \
kingfish kite kitten kiwi koala koi kookaburra krill lacewing ladybird lamb lamprey lapwing lark \
lemming lemur leopard limpet ling linnet lion lizard llama lobster locust loon loris lory lynx \
macaque macaw mackerel magpie mallard mammoth manatee mandrill manta mantis mare marlin marmoset \
marmot marten martin mastiff mayfly meerkat merlin minnow mole mongoose monkey moose moth mouse mule \
mullet muskrat mussel narwhal newt nightjar numbat nuthatch ocelot octopus okapi opossum orangutan \
orca oriole oryx osprey ostrich otter owl ox oyster panda pangolin panther parakeet parrot partridge \
peacock pelican penguin perch petrel pheasant pig pigeon pika pike piranha platypus plover polecat \
pony poodle porcupine porpoise possum prawn puffin pug puma puppy python quail quokka rabbit raccoon \
ram raven ray redstart reindeer rhino roach robin rook rooster ruff salmon sardine sawfish scallop \
scorpion seahorse seal serval shad shark sheep shrew shrike shrimp skate skink skunk skylark sloth \
slug smelt snail snake snipe sole sparrow spider sponge sprat squid squirrel stag starfish starling \
stingray stoat stork sturgeon sunbird swallow swan swift tadpole tahr tapir tarpon tarsier tench \
termite tern terrapin terrier thrush tick tiger toad tortoise toucan treefrog trout tuna turbot \
turkey turtle viper vole vulture wagtail wallaby walrus warbler wasp waxwing weasel weevil whale \
whelk whippet whiting wildcat wolf wolverine wombat woodcock worm wrasse wren yak zander zebra zebu";
