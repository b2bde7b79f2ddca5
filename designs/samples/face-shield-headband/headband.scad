// Headband of a face shield: holds an A4 transparency punched with an ordinary office punch.
// Everything is one outline drawn from above and given a height, so nothing needs support.
// Head looks along +y; the sheet hangs down from pegs on the bed side. Lengths in mm.

/* [Head] */
// Circumference of the head
head_circumference = 580; // [520:5:630]
// How much narrower than the head the band is printed, so that it holds by its own spring
preload = 12; // [0:1:24]

/* [Band] */
// Thickness of the springy band on the forehead
band_thickness = 2.0; // [1.2:0.2:3.2]
// Height of band and visor
height = 16; // [14:1:24]
// How far the arms reach back behind the temples
arm_length = 32; // [30:1:60]

/* [Visor] */
// Air between forehead and sheet
standoff = 22; // [15:1:40]
// Thickness of the bow that carries the sheet
visor_thickness = 2.4; // [1.6:0.4:4]

/* [Sheet] */
// Distance between neighbouring holes: 80 for office punches after ISO 838
hole_spacing = 80; // [60:0.5:90]
// Diameter of the punched holes
hole_diameter = 6; // [4.5:0.5:8]
// Number of holes: 4 means punched twice, two are enough for a soft sheet
pegs = 4; // [2, 4]
// What to draw; the sheet is only there to look at
show = "headband"; // [headband:Headband, sheet:Transparent sheet]

/* [Hidden] */
$fn = 64;
sheet_size = [297, 210]; // A4 lying on its side
hole_from_edge = 12;     // ISO 838
sheet_thickness = 0.3;
peg_length = 4.2;        // from the bow outwards
fullness = 2.5;          // of the visor's bow: 2 is an ellipse, more is squarer
fillet = 2;              // rounding where the two bows meet
pad_length = 23;         // thicker end of an arm, with the slots
slot = [2.6, 11];        // for a flat elastic: width, height without its pointed roof
far = 400;               // larger than everything
steep = 1.05;            // rise of a slope for its width: a little over 45 degrees, for rounding

// Head: an ellipse whose width is 0.79 of its length, about the middle of adult heads.
breadth = 0.79;
// Ramanujan's first approximation of an ellipse's perimeter, for half axes 1 and `breadth`.
unit_perimeter = PI * (3 * (1 + breadth) - sqrt((3 + breadth) * (1 + 3 * breadth)));
head_y = head_circumference / unit_perimeter;
head_x = breadth * head_y - preload / 2;
visor_x = head_x + band_thickness;                   // outside of the bow at the temples
visor_y = head_y + band_thickness + standoff + visor_thickness;

// The visor's bow is a superellipse; `at` runs from 0 at the front to 90 at the temple.
function on_visor(at) = [visor_x * pow(sin(at), 2 / fullness), visor_y * pow(cos(at), 2 / fullness)];
// Outward direction there, in degrees from +y towards +x: the gradient of the superellipse.
function facing(at) = let (p = on_visor(at)) atan2(
    pow(p[0] / visor_x, fullness - 1) / visor_x, pow(p[1] / visor_y, fullness - 1) / visor_y);
// Where the way along the bow, from the front, first reaches `length`.
function after(length, at = 0, gone = 0) =
    gone >= length || at >= 90 ? at :
    after(length, at + 0.1, gone + norm(on_visor(at + 0.1) - on_visor(at)));

// The inside of the band on the right side, and how far the band leans inwards there, in degrees.
function on_head(y) = [head_x * sqrt(1 - pow(y / head_y, 2)), y];
function lean(y) = atan2(y * head_x * head_x, on_head(y)[0] * head_y * head_y);

module head(grown = 0) { scale([head_x + grown, head_y + grown]) circle(1, $fn = 240); }

module band_outline(thickness, from, to) {
    intersection() {
        difference() {
            head(thickness);
            head();
        }
        translate([-far / 2, from]) square([far, to - from]);
    }
}

module visor_outline() {
    module bow() {
        angles = [0:1.5:90];
        right = concat([for (at = angles) on_visor(at)], [[visor_x, -10]]);
        polygon(concat(right, [for (i = [len(right) - 1:-1:0]) [-right[i][0], right[i][1]]]));
    }
    intersection() {
        difference() {
            bow();
            offset(delta = -visor_thickness) bow();
            head();
        }
        translate([-far / 2, 0]) square(far);
    }
}

// End of the right arm: a thicker pad, and a hook behind it for a rubber band. The hook opens
// forwards, away from the pull of the rubber band behind the head.
module arm_end_outline() {
    offset(r = 1.2) offset(delta = -1.2) intersection() {
        band_outline(3.6, -arm_length, pad_length - arm_length);
        translate([0, -far / 2]) square(far);
    }
    module bar(from, to, radius) {
        hull() {
            translate(from) circle(radius);
            translate(to) circle(radius);
        }
    }
    translate(on_head(-arm_length)) rotate(lean(-arm_length)) {
        bar([1.8, 2], [1.8, -0.4], 1.8);
        bar([1.8, -0.4], [7, -0.4], 1.8);
        bar([7.2, -0.4], [7.2, 4.5], 1.6);
    }
}

module outline() {
    // Growing and shrinking by the same amount rounds the inner corners and changes nothing else.
    offset(delta = -fillet) offset(r = fillet) {
        band_outline(band_thickness, -arm_length, far);
        visor_outline();
    }
    arm_end_outline();
    mirror([1, 0]) arm_end_outline();
}

// Peg along +y, lying on the bed. Its tip is higher, so that the hanging sheet cannot slip off.
// The whole section stays just inside the punched hole, and no side leans past 45 degrees.
module peg() {
    half = hole_diameter / 2 - 0.6;
    low = hole_diameter * 0.62;
    high = hole_diameter - 0.9;
    module section(top, length) {
        rotate([90, 0, 0]) mirror([0, 0, 1]) linear_extrude(length) polygon([
            [0.9 - half, 0], [half - 0.9, 0], [half, 0.9 * steep], [half, top - 1.3],
            [half - 1.2, top], [1.2 - half, top], [-half, top - 1.3], [-half, 0.9 * steep],
        ]);
    }
    translate([0, -1, 0]) section(low, peg_length + 1);
    translate([0, peg_length - 1.8, 0]) hull() {
        section(low, 1.8);
        translate([0, 0.9, 0]) section(high, 0.9);
    }
}

module pegs() {
    for (side = [-1, 1], nth = pegs == 4 ? [0.5, 1.5] : [0.5]) {
        at = after(nth * hole_spacing);
        translate([side * on_visor(at)[0], on_visor(at)[1]]) rotate(-side * facing(at)) peg();
    }
}

// Windows through the right arm's pad whose roofs are pointed: they print without a bridge.
module slots() {
    roof = steep * slot[0] / 2;
    for (along = [10.5, 17])
        translate(on_head(along - arm_length)) rotate(lean(along - arm_length))
            translate([-5, -slot[0] / 2, (height - slot[1] - roof) / 2])
                rotate([90, 0, 90]) linear_extrude(11) polygon([
                    [0, 0], [slot[0], 0], [slot[0], slot[1]],
                    [slot[0] / 2, slot[1] + roof], [0, slot[1]],
                ]);
}

module headband() {
    difference() {
        linear_extrude(height) outline();
        slots();
        mirror([1, 0, 0]) slots();
    }
    pegs();
}

module sheet() {
    end = after(sheet_size[0] / 2);
    drop = hole_diameter * 0.62 - hole_diameter / 2; // the hole hangs on the peg's back
    outer = [for (i = [-60:60]) let (at = abs(i) * end / 60) [sign(i) * on_visor(at)[0], on_visor(at)[1]]];
    translate([0, 0, drop + hole_from_edge - sheet_size[1]]) linear_extrude(sheet_size[1])
        difference() {
            offset(delta = sheet_thickness + 0.1) polygon(outer);
            offset(delta = 0.1) polygon(outer);
            translate([-far / 2, outer[0][1] - far]) square(far);
        }
}

if (show == "sheet") sheet();
else headband();
