// Barbed coupling between two hoses, for drip lines, aquariums and garden water without pressure.
// It stands on its wider end; every shoulder is a cone of 45 degrees or steeper, so it needs no support. In mm.

/* [Hoses] */
// Inner diameter of the wider hose, which is at the bottom
lower_hose = 13; // [4:0.5:40]
// Inner diameter of the narrower hose
upper_hose = 10; // [4:0.5:40]

/* [Barbs] */
// Barbs on each end
barbs = 3; // [1:1:6]
// How much wider than the hose a barb is, in percent
grip_percent = 8; // [2:1:20]
// Length of one barb as a share of its hose's diameter
pitch = 0.5; // [0.3:0.05:1]

/* [Body] */
// Thickness of the wall
wall = 1.8; // [1.2:0.1:4]
// How far the grip stands out beyond the wider end
grip_rim = 2.5; // [1:0.5:6]
// Height of the grip's flats
grip_height = 5; // [3:0.5:15]

/* [Hidden] */
$fn = 96;
loose = 0.3;    // the tube between two barbs is narrower than the hose by this much
edge = 0.5;     // height of a barb's outer edge: a nozzle cannot print a sharper one
chamfer = 0.8;  // at the mouth
steep = 1.05;  // rise of a slope for its width: a little over 45 degrees, whatever is rounded

assert(lower_hose >= upper_hose, "the wider hose belongs to the lower end");
assert(upper_hose - loose > 2 * wall + 1, "the wall leaves no bore: make it thinner");

function root(hose) = (hose - loose) / 2;                  // radius between barbs
function crest(hose) = hose * (1 + grip_percent / 100) / 2; // radius of a barb
function step(hose) = max(hose * pitch, 3);                 // from one barb to the next
function length(hose) = barbs * step(hose) + 0.25 * hose;   // from mouth to grip
function bore(hose) = root(hose) - wall;

// Outside of one end, from its mouth at height 0 up into the grip: [radius, height].
function barb_points(hose) = concat(
    [[root(hose) - chamfer / 2, 0]],
    [for (i = [0:barbs - 1]) each let (top = (i + 1) * step(hose), fall = steep * (crest(hose) - root(hose))) [
        [root(hose), i * step(hose) + (i == 0 ? chamfer : 0)],
        [crest(hose), top - edge - fall],
        [crest(hose), top - fall],
        [root(hose), top], // this face hangs when the end points up
    ]],
    [[root(hose), length(hose) + 1]]
);

module end(hose) {
    rotate_extrude() polygon(concat([[0, 0]], barb_points(hose), [[0, length(hose) + 1]]));
}

lower = length(lower_hose);
upper = length(upper_hose);
corners = (crest(lower_hose) + grip_rim) / cos(30); // the grip's radius
below = steep * (corners - root(lower_hose));       // height of the cone under the flats
easing = 1.2;                                       // the upper cone only takes the corners off
middle = below + grip_height + easing;

// Six flats to hold with a hand or a spanner, between two cones.
module grip() {
    intersection() {
        cylinder(r = corners, h = middle, $fn = 6);
        rotate_extrude() polygon([
            [0, 0], [root(lower_hose), 0], [corners, below], [corners, below + grip_height],
            [corners - easing, middle], [0, middle],
        ]);
    }
}

narrowing = max(steep * (bore(lower_hose) - bore(upper_hose)), 0.01); // its height

difference() {
    union() {
        end(lower_hose);
        translate([0, 0, lower]) grip();
        translate([0, 0, lower + middle + upper]) mirror([0, 0, 1]) end(upper_hose);
    }
    // One bore, closing to the narrower one inside the grip, where the wall is thick.
    rotate_extrude() polygon([
        [0, -1], [bore(lower_hose), -1], [bore(lower_hose), lower + middle / 2 - narrowing / 2],
        [bore(upper_hose), lower + middle / 2 + narrowing / 2],
        [bore(upper_hose), lower + middle + upper + 1], [0, lower + middle + upper + 1],
    ]);
}
